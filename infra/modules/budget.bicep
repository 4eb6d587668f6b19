// A mail before the money is spent.

@description('What makes names unique.')
param token string

@description('Monthly, in the subscription\'s currency.')
param amount int

@description('First day of the month the budget begins in.')
param start string

@description('Where the mail goes.')
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
