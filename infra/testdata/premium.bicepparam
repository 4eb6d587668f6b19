using '../main.bicep'

param environmentName = 'A-very-long_name.of(an)environment-with-every-letter-azd-takes'
param location = 'koreacentral'
param serviceBusSku = 'Premium'
param messagingUnits = '2'
