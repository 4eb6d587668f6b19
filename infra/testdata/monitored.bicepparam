using '../main.bicep'

param environmentName = 'chat'
param location = 'koreacentral'
param alertEmail = 'operator@example.com'
param monthlyBudget = '50'
param budgetStart = '2026-11-01'
param logDailyCapGb = '-1'
