import type { CodeDescription } from './code-description.ts';

/** Codes that tools and services need beside the results of DESIGN 2.4; none of them travels on the wire. */
export type LocalErrorCode =
  | 'CATALOGUE_INVALID'
  | 'CATALOGUE_NOT_FOUND'
  | 'SETTING_INVALID'
  | 'INPUT_INVALID'
  | 'DATA_DIRECTORY_LOCKED'
  | 'DATA_DIRECTORY_UNUSABLE'
  | 'PORT_IN_USE'
  | 'ADDRESS_UNUSABLE'
  | 'NOT_RUNNING'
  | 'DOCUMENT_INVALID'
  | 'DATABASE_UNUSABLE'
  | 'STREAM_UNUSABLE'
  | 'SITE_NOT_EMPTY'
  | 'OUTPUT_UNWRITABLE'
  | 'TLS_INVALID'
  | 'NOT_AUTHORISED'
  | 'KEY_UNKNOWN'
  | 'VENDOR_MISSING'
  | 'AUDIT_BROKEN';

/** Every local error code with its meaning, its one cause and its one remedy, in the form of `resultCodes`. */
export const localErrorCodes: Readonly<Record<LocalErrorCode, CodeDescription>> = {
  CATALOGUE_INVALID: {
    meaning: 'The catalogue breaks the rules of catalogues.',
    cause: 'The document has at least one problem; each is listed with its line and column.',
    remedy: 'Correct the document at the places listed, and read it again.',
  },
  CATALOGUE_NOT_FOUND: {
    meaning: 'There is no such catalogue.',
    cause: 'The name is neither that of a built-in catalogue nor that of a file that can be read.',
    remedy: 'Name a built-in catalogue, or give the path of a catalogue file.',
  },
  SETTING_INVALID: {
    meaning: 'A setting has a value that it may not have.',
    cause: 'The value is of the wrong kind or outside its allowed range.',
    remedy: 'Give the setting a value within its allowed range.',
  },
  INPUT_INVALID: {
    meaning: 'Something that was typed or handed over cannot be understood.',
    cause: 'An argument or a value does not have the form that it must have.',
    remedy: 'Give the value in the form that the message names.',
  },
  DATA_DIRECTORY_LOCKED: {
    meaning: 'Another process uses the data directory.',
    cause: 'A Muster process that runs already holds the lock of the data directory.',
    remedy: 'Stop the other process, or choose another data directory.',
  },
  DATA_DIRECTORY_UNUSABLE: {
    meaning: 'The data directory cannot be used.',
    cause: 'It cannot be made, read or written by the user that runs the process, or it holds something else.',
    remedy: 'Make the directory writable for that user, or choose another data directory.',
  },
  PORT_IN_USE: {
    meaning: 'A port is taken.',
    cause: 'Another process listens on the same address and port.',
    remedy: 'Stop the other process, or choose another port.',
  },
  ADDRESS_UNUSABLE: {
    meaning: 'An address cannot be listened on.',
    cause: 'It is not an address of this machine, or its port needs rights that the process does not have.',
    remedy: 'Choose an address of this machine, and a port above 1023.',
  },
  NOT_RUNNING: {
    meaning: 'No Muster process answers.',
    cause: 'Nothing runs with the data directory or at the address that the command was given.',
    remedy: 'Start it with `muster serve`, or name the data directory or address of the one that runs.',
  },
  DOCUMENT_INVALID: {
    meaning: 'A document cannot be used.',
    cause: 'It is damaged, incomplete, signed by somebody else, or made for another purpose.',
    remedy: 'Fetch the document again from where it was made, and hand it over unchanged.',
  },
  DATABASE_UNUSABLE: {
    meaning: 'The database cannot be used.',
    cause: 'It cannot be reached, refuses the login, or has a schema that this release does not know.',
    remedy: 'Check the address and the login of the database, and that it belongs to this release.',
  },
  STREAM_UNUSABLE: {
    meaning: 'The stream that keeps the events cannot be used.',
    cause: 'NATS runs without JetStream, has no room for the stream, or has one that would lose events.',
    remedy: 'Correct the stream or the server as the message says; the events wait in the log.',
  },
  TLS_INVALID: {
    meaning: 'A certificate, a key or an authority for TLS cannot be used.',
    cause: 'A file is missing or damaged, does not belong to the others, or names another role.',
    remedy: 'Give the files of one certificate that was issued for this service, and the authority that signed it.',
  },
  NOT_AUTHORISED: {
    meaning: 'The caller may not do this.',
    cause: 'The certificate that the caller showed is of a role that may not call the method.',
    remedy: 'Call with a certificate of a role that may.',
  },
  KEY_UNKNOWN: {
    meaning: 'The authority has issued no key by this id.',
    cause: 'The id of a key is mistyped, or belongs to the authority of another vendor.',
    remedy: 'List the keys, and give the id of one of them.',
  },
  VENDOR_MISSING: {
    meaning: 'The authority has no vendor yet.',
    cause: 'Its database is new, and nobody has made the vendor and its root key.',
    remedy: 'Create the vendor first; nothing can be signed without its root key.',
  },
  AUDIT_BROKEN: {
    meaning: 'The audit trail is not what was written.',
    cause: 'A record was changed, removed or put in, or the end of the trail is not the one that was kept.',
    remedy:
      'Keep the database as it is, export the trail, and compare it with the last export and the log of the authority.',
  },
  SITE_NOT_EMPTY: {
    meaning: 'The site that a whole site was to be imported into is not empty.',
    cause: 'It has machines, an activation log or KMS keys of its own, which an import would mix or overwrite.',
    remedy: 'Import into an empty database, or into a data directory that is not there yet.',
  },
  OUTPUT_UNWRITABLE: {
    meaning: 'What a command writes could not be written whole.',
    cause: 'The disk is full, the file may not be written, or the program that read the output has ended.',
    remedy: 'Make room or choose another place, and run the command again.',
  },
};
