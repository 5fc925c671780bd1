// Private endpoints, each with its record in a private DNS zone of this resource group.

@description('A private endpoint: its name, the resource behind it, which part of that (its group), and its zone.')
type endpoint = {
  @description('Name of the endpoint.')
  name: string
  @description('Resource id of what is behind it.')
  targetId: string
  @description('Part of the resource, such as blob.')
  group: string
  @description('Private DNS zone that resolves it.')
  zone: string
}

@description('Azure region of the endpoints: the network\'s.')
param location string

@description('Tags of the endpoints.')
param tags object

@description('Subnet of the endpoints.')
param subnetId string

@description('What is reached through endpoints.')
param endpoints endpoint[]

resource links 'Microsoft.Network/privateEndpoints@2024-05-01' = [for one in endpoints: {
  name: one.name
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: one.name
        properties: {
          privateLinkServiceId: one.targetId
          groupIds: [
            one.group
          ]
        }
      }
    ]
  }
}]

resource records 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = [for (one, index) in endpoints: {
  parent: links[index]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: one.group
        properties: {
          privateDnsZoneId: resourceId('Microsoft.Network/privateDnsZones', one.zone)
        }
      }
    ]
  }
}]
