// A virtual network with a subnet for the app and one for private endpoints, and the zones that resolve them.

@description('Name of the virtual network.')
param name string

@description('Azure region of the network.')
param location string

@description('Tags of the network and its zones.')
param tags object

@description('Addresses of the network: a CIDR range of /24 or wider.')
param addressPrefix string

@description('Private DNS zones to make and link.')
param zoneNames string[]

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        addressPrefix
      ]
    }
    subnets: [
      {
        // Instances go out through shared gateways, 27 addresses at most, so a /27 would do for one app and cannot be
        // widened later. Flex Consumption wants this delegation and a name without underscores.
        name: 'app'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 0)
          delegations: [
            {
              name: 'flex-consumption'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'private-endpoints'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 1)
          privateEndpointNetworkPolicies: 'Disabled'
        }
      }
    ]
  }
}

resource zones 'Microsoft.Network/privateDnsZones@2020-06-01' = [for zone in zoneNames: {
  name: zone
  location: 'global'
  tags: tags
}]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2020-06-01' = [for (zone, index) in zoneNames: {
  parent: zones[index]
  name: name
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: network.id
    }
  }
}]

@description('Subnet of the app.')
output appSubnetId string = '${network.id}/subnets/app'

@description('Subnet of private endpoints.')
output endpointSubnetId string = '${network.id}/subnets/private-endpoints'
