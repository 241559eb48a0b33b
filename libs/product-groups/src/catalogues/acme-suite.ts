/** An ordinary vendor's two products: the example to start an own catalogue from (DESIGN 2.1). */
export const acmeSuite = `# The products of Acme: a desktop suite and a database server.
# A copy of this file is a good start for a catalogue of your own.

# The name and the version of the catalogue. Count the version up at every change.
catalogue: acme-suite
version: 1
title: Acme Office and Acme Database

# Where your customers may run an activation host: any names of your own.
hostPlatforms:
  linux-server: Linux server
  windows-server: Windows Server
  container: Container platform
  database-appliance: Acme Database Appliance

# Machines are counted separately for each application.
applications:
  office:
    name: Acme Office
    # Desktops are physical machines. Virtual ones are activated, but never raise the count.
    countVirtualMachines: false
    # How long an activation is valid; each renewal starts it anew.
    validityDays: 180
    # How often an active client renews: every 7 days. It must be less than the validity.
    renewalIntervalMinutes: 10080
    # How often a client tries that is not active yet: every 2 hours.
    activationIntervalMinutes: 120
    # How long a client works on when its validity has ended.
    graceDays: 30
    # How long a machine stays in the count after its last request.
    countRetentionDays: 30
    # How far the clocks of client and host may differ: 4 hours.
    clockSkewMinutes: 240

    # Each group has its own kind of KMS key, which also activates the groups that it includes and all below those.
    groups:
      office-viewers:
        name: Office Viewers
        key: ACME_VIEWERS
        hostPlatforms: [linux-server, windows-server, container]
      office-standard:
        name: Office Standard
        key: ACME_STANDARD
        hostPlatforms: [linux-server, windows-server, container]
        includes: [office-viewers]
      office-professional:
        name: Office Professional
        key: ACME_PROFESSIONAL
        hostPlatforms: [linux-server, windows-server]
        includes: [office-standard]

    # What a client can be: the group it belongs to, and the count of machines that activates it.
    editions:
      reader:
        name: Acme Reader
        group: office-viewers
        threshold: 10
        initialGraceDays: 90
      writer:
        name: Acme Writer
        group: office-standard
        threshold: 10
        initialGraceDays: 30
      office-standard:
        name: Acme Office Standard
        group: office-standard
        threshold: 10
        initialGraceDays: 30
      office-professional:
        name: Acme Office Professional
        group: office-professional
        threshold: 20
        initialGraceDays: 30

  database:
    name: Acme Database
    # Servers are mostly virtual today, so virtual machines and containers raise this count.
    countVirtualMachines: true
    validityDays: 90
    # Every day: servers are always connected.
    renewalIntervalMinutes: 1440
    activationIntervalMinutes: 60
    graceDays: 14
    countRetentionDays: 14
    # Servers follow a time source: half an hour is plenty.
    clockSkewMinutes: 30

    groups:
      database-developer:
        name: Database for Developers
        key: ACME_DB_DEVELOPER
        hostPlatforms: [linux-server, windows-server, container]
      database-workgroup:
        name: Database Workgroup
        key: ACME_DB_WORKGROUP
        hostPlatforms: [linux-server, windows-server, container]
      # One key for both of the groups above. It may also be installed on the appliance.
      database-enterprise:
        name: Database Enterprise
        key: ACME_DB_ENTERPRISE
        hostPlatforms: [linux-server, windows-server, container, database-appliance]
        includes: [database-developer, database-workgroup]

    editions:
      developer:
        name: Acme Database Developer Edition
        group: database-developer
        # Active from the first machine on.
        threshold: 1
        initialGraceDays: 30
      workgroup:
        name: Acme Database Workgroup Edition
        group: database-workgroup
        threshold: 3
        initialGraceDays: 60
      enterprise:
        name: Acme Database Enterprise Edition
        group: database-enterprise
        threshold: 5
        initialGraceDays: 60
      # A standby server belongs to the enterprise group, too.
      enterprise-standby:
        name: Acme Database Standby
        group: database-enterprise
        threshold: 5
        initialGraceDays: 60
`;
