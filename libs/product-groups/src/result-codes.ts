import type { CodeDescription } from './code-description.ts';

/** The stable symbolic result codes of DESIGN 2.4, spelled the same in the CLI, the logs, the events and the wire. */
export type ResultCodeName =
  | 'GRANTED'
  | 'COUNT_INSUFFICIENT'
  | 'PRODUCT_NOT_COVERED'
  | 'HOST_NOT_ACTIVATED'
  | 'CLOCK_SKEW'
  | 'UNSUPPORTED_VERSION'
  | 'MALFORMED_REQUEST'
  | 'RATE_LIMITED'
  | 'UNAVAILABLE'
  | 'NO_HOST_FOUND'
  | 'HOST_UNREACHABLE'
  | 'UNTRUSTED_HOST'
  | 'KEY_INVALID'
  | 'KEY_WRONG_HOST_PLATFORM'
  | 'KEY_HOST_LIMIT'
  | 'KEY_ACTIVATION_LIMIT'
  | 'KEY_REVOKED'
  | 'KEY_EXPIRED'
  | 'MAK_INVALID'
  | 'MAK_EXHAUSTED'
  | 'MAK_WRONG_GROUP'
  | 'CONFIRMATION_INVALID'
  | 'HARDWARE_CHANGED';

/**
 * Every result code with its meaning, its one cause and its one remedy, in the order of DESIGN 2.4.
 *
 * @example
 * resultCodes.COUNT_INSUFFICIENT.familiar; // '0xC004F038'
 */
export const resultCodes: Readonly<Record<ResultCodeName, CodeDescription>> = {
  GRANTED: {
    meaning: 'The client is activated, or its activation is renewed.',
    cause: 'An installed key covers the edition and the count has reached its threshold.',
    remedy: 'Nothing needs to be done; the client renews by itself.',
  },
  COUNT_INSUFFICIENT: {
    meaning: 'The count of machines is below the threshold of the edition.',
    cause: 'Too few distinct machines that raise the count have asked this site within the retention period.',
    remedy: 'Let more physical machines ask this site; clients try again by themselves at every activation interval.',
    familiar: '0xC004F038',
  },
  PRODUCT_NOT_COVERED: {
    meaning: 'No installed key covers the edition.',
    cause: 'The KMS keys activated on this site belong to other product groups or to groups below the one needed.',
    remedy: 'Install a KMS key of the product group of the edition, or of a group above it.',
    familiar: '0xC004F042',
  },
  HOST_NOT_ACTIVATED: {
    meaning: 'The host has no activated KMS key.',
    cause: 'No KMS key has been installed and activated on this site, or the activation of the last one has expired.',
    remedy: 'Install a KMS key on the host and activate it with the vendor, online or by file.',
    familiar: '0xC004F041',
  },
  CLOCK_SKEW: {
    meaning: 'The clocks of the client and of the host differ too much.',
    cause: 'One of the two machines does not follow the time of the network.',
    remedy: 'Set the clocks of client and host from the same time source, then try again.',
    familiar: '0xC004F06C',
  },
  UNSUPPORTED_VERSION: {
    meaning: 'The host does not speak the protocol version of the request.',
    cause: 'The client is newer than the host, or has dropped the versions that the host knows.',
    remedy: 'Upgrade the host to a release that knows the protocol version of the client.',
  },
  MALFORMED_REQUEST: {
    meaning: 'The request cannot be understood.',
    cause: 'What arrived on the port breaks the rules of the protocol.',
    remedy: 'Check that the client is a Muster client and that nothing between it and the host alters the traffic.',
  },
  RATE_LIMITED: {
    meaning: 'The host takes no more requests at this moment.',
    cause:
      'More requests are under way than the host works on at once, or too many come from the address of the client.',
    remedy: 'Try again after the time that the answer names.',
  },
  UNAVAILABLE: {
    meaning: 'The host cannot answer at the moment.',
    cause: 'A part of the site that the answer needs, most often its database, is out of reach.',
    remedy:
      'Try again after the time that the answer names; machines already active stay so until their validity ends.',
  },
  NO_HOST_FOUND: {
    meaning: 'The client found no host to ask.',
    cause: 'DNS holds no SRV record for _muster._tcp in the domains searched, and no host was set on the client.',
    remedy: 'Publish the host in the DNS domain of the client, or name the host on the client.',
    familiar: '0xC004F074',
  },
  HOST_UNREACHABLE: {
    meaning: 'No host that the client found could be reached.',
    cause: 'Every host tried refused the connection, or did not answer in time.',
    remedy: 'Check that a gateway runs and that TCP port 1688 is open between the client and it.',
    familiar: '0xC004F074',
  },
  UNTRUSTED_HOST: {
    meaning: 'The answer of the host cannot be verified.',
    cause: "The signatures do not lead from the answer back to the vendor's key that the client was built with.",
    remedy: 'Make sure that the client reaches a host activated by the vendor of the product, and no other service.',
  },
  KEY_INVALID: {
    meaning: 'The KMS key is not valid.',
    cause: 'The key is mistyped, unknown to the vendor, or revoked.',
    remedy: 'Compare the key with what the vendor sent, and ask the vendor for a new one if they agree.',
    familiar: '0xC004F035',
  },
  KEY_WRONG_HOST_PLATFORM: {
    meaning: 'The KMS key may not be hosted on this platform.',
    cause: 'The catalogue does not list the host platform for the product group of the key.',
    remedy: 'Install the key on a platform that its product group may be hosted on, or use a key of another group.',
    familiar: '0xC004F035',
  },
  KEY_HOST_LIMIT: {
    meaning: 'The KMS key is activated on as many hosts as it may be.',
    cause: 'The number of distinct hosts that the vendor allows for the key is used up.',
    remedy: 'Ask the vendor to raise the number of hosts of the key, or use another key.',
    familiar: '0xC004C008',
  },
  KEY_ACTIVATION_LIMIT: {
    meaning: 'The KMS key has been activated on this host as often as it may be.',
    cause: 'The number of activations that the vendor allows for the key on one host is used up.',
    remedy: 'Ask the vendor to allow further activations of the key on this host.',
    familiar: '0xC004C008',
  },
  KEY_REVOKED: {
    meaning: 'The product key was revoked.',
    cause: 'The vendor has ended the key: nothing is activated, renewed or confirmed by it any more.',
    remedy: 'Ask the vendor why, and for another key.',
  },
  KEY_EXPIRED: {
    meaning: 'The time in which the product key may be used is over.',
    cause: 'The vendor issued the key until a date that has passed.',
    remedy: 'Ask the vendor for a longer time or for another key.',
  },
  MAK_INVALID: {
    meaning: 'The multiple activation key is not valid.',
    cause: 'The key is mistyped, unknown to the vendor, or revoked.',
    remedy: 'Compare the key with what the vendor sent, and ask the vendor for a new one if they agree.',
  },
  MAK_EXHAUSTED: {
    meaning: 'The multiple activation key has no activations left.',
    cause: 'The number of machines that the vendor allows for the key is used up.',
    remedy: 'Ask the vendor for more activations, or activate the machine through a KMS host.',
    familiar: '0xC004C020',
  },
  MAK_WRONG_GROUP: {
    meaning: 'The multiple activation key belongs to another product group.',
    cause: 'A MAK serves only its own product group, and the edition is not in it.',
    remedy: 'Use a MAK of the product group that the edition belongs to.',
  },
  CONFIRMATION_INVALID: {
    meaning: 'The confirmation does not activate this machine.',
    cause: 'It was altered, was signed by somebody else, or was made for another installation id.',
    remedy: 'Ask for a confirmation of the installation id that this machine shows now, and enter it unchanged.',
    familiar: '0xC004F02C',
  },
  HARDWARE_CHANGED: {
    meaning: 'The machine is no longer the one that was activated.',
    cause: 'Its hardware fingerprint differs from the one that the confirmation was made for.',
    remedy: 'Activate the machine anew with a MAK, or through a KMS host.',
    familiar: '0xC004F00F',
  },
};
