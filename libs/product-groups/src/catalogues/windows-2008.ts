/** Windows Vista and Windows Server 2008 as Volume Activation 2.0 had them: exactly DESIGN 2.1 and 2.3. */
export const windows2008 = `# Windows Vista and Windows Server 2008: product groups, thresholds and times.
catalogue: windows-2008
version: 1
title: Windows Vista and Windows Server 2008

# Where a KMS host may run.
hostPlatforms:
  windows-vista: Windows Vista
  kms-for-windows-server-2003: KMS for Windows Server 2003
  web-server-2008: Web Server 2008
  server-2008-standard: Server 2008 Standard
  server-2008-enterprise: Server 2008 Enterprise
  server-2008-datacenter: Server 2008 Datacenter
  server-2008-itanium: Server 2008 for Itanium

applications:
  # Desktops and servers share one count: each machine adds one.
  windows:
    name: Windows
    # Virtual machines are activated, but never raise the count.
    countVirtualMachines: false
    # An activation is valid for 180 days and is renewed every 7 days.
    validityDays: 180
    renewalIntervalMinutes: 10080
    # A client that is not active tries again every 2 hours.
    activationIntervalMinutes: 120
    # When the validity has ended, 30 days remain until the notification state.
    graceDays: 30
    # A machine leaves the count 30 days after its last request.
    countRetentionDays: 30
    # Clocks may differ by 4 hours.
    clockSkewMinutes: 240

    # A KMS key serves its own group and every group below it.
    groups:
      vista-vl:
        name: Vista VL
        key: KMS
        hostPlatforms: [windows-vista, kms-for-windows-server-2003]
      server-group-a:
        name: Server Group A
        key: KMS_A
        hostPlatforms: [web-server-2008, kms-for-windows-server-2003]
        includes: [vista-vl]
      server-group-b:
        name: Server Group B
        key: KMS_B
        hostPlatforms:
          - web-server-2008
          - server-2008-standard
          - server-2008-enterprise
          - kms-for-windows-server-2003
        includes: [server-group-a, vista-vl]
      server-group-c:
        name: Server Group C
        key: KMS_C
        hostPlatforms:
          - web-server-2008
          - server-2008-standard
          - server-2008-enterprise
          - server-2008-datacenter
          - server-2008-itanium
          - kms-for-windows-server-2003
        includes: [server-group-b, server-group-a, vista-vl]

    # Desktops need a count of 25, servers one of 5.
    editions:
      vista-business:
        name: Vista Business
        group: vista-vl
        threshold: 25
        initialGraceDays: 30
      vista-enterprise:
        name: Vista Enterprise
        group: vista-vl
        threshold: 25
        initialGraceDays: 30
      web-server-2008:
        name: Web Server 2008
        group: server-group-a
        threshold: 5
        initialGraceDays: 60
      server-2008-standard:
        name: Server 2008 Standard
        group: server-group-b
        threshold: 5
        initialGraceDays: 60
      server-2008-enterprise:
        name: Server 2008 Enterprise
        group: server-group-b
        threshold: 5
        initialGraceDays: 60
      server-2008-datacenter:
        name: Server 2008 Datacenter
        group: server-group-c
        threshold: 5
        initialGraceDays: 60
      server-2008-itanium:
        name: Server 2008 for Itanium
        group: server-group-c
        threshold: 5
        initialGraceDays: 60
`;
