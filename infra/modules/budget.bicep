// A monthly budget, and a mail when the forecast exceeds it.

@description('Suffix that makes names unique.')
param token string

@description('Amount a month, in the subscription\'s currency. 0: the mail is switched off.')
param amount int

@description('First day of the month the budget begins in.')
param start string

@description('Mail address of the operator. Empty: the mail is switched off.')
param email string

resource budget 'Microsoft.Consumption/budgets@2023-11-01' = {
  name: 'budget-${token}'
  properties: {
    category: 'Cost'
    amount: max(1, amount)
    timeGrain: 'Monthly'
    timePeriod: { startDate: start }
    notifications: {
      forecast: {
        enabled: amount > 0 && !empty(email)
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: empty(email) ? [] : [email]
        contactRoles: empty(email) ? ['Owner'] : []
      }
    }
  }
}
