// A monthly budget, and a mail when the forecast exceeds it.

@description('Suffix that makes names unique.')
param token string

@description('Amount a month, in the subscription\'s currency.')
param amount int

@description('First day of the month the budget begins in.')
param start string

@description('Mail address of the operator.')
param email string

resource budget 'Microsoft.Consumption/budgets@2023-11-01' = {
  name: 'budget-${token}'
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    timePeriod: { startDate: start }
    notifications: {
      forecast: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: [email]
      }
    }
  }
}
