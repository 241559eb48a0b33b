/** A row of the activation log, as the checker reads it. */
export interface LogRow {
  readonly id: number;
  readonly activationId: string;
  /** Milliseconds since 1970. */
  readonly occurredAtMs: number;
  readonly gatewayId: string;
  readonly application: string;
  readonly edition: string;
  readonly cmid: string;
  readonly machineClass: string;
  /** Empty when withheld. */
  readonly machineName: string;
  /** Hexadecimal; empty when unknown. */
  readonly fingerprint: string;
  /** The attempt of the client that asked (see AnswerRecord). */
  readonly clientVersion: string;
  readonly code: string;
  readonly count: number;
  readonly threshold: number;
  readonly firstSeen: boolean;
  readonly cloned: boolean;
}

/** A row of the machine table, as the checker reads it. */
export interface MachineRow {
  readonly application: string;
  readonly cmid: string;
  readonly edition: string;
  readonly machineClass: string;
  readonly raisesCount: boolean;
  readonly firstRequestMs: number;
  readonly lastRequestMs: number;
  readonly requests: number;
  readonly lastCode: string;
}

/** A message of the stream. */
export interface StreamMessage {
  readonly sequence: number;
  readonly subject: string;
  /** The header `Nats-Msg-Id`; empty when it is missing. */
  readonly messageId: string;
  /** The CloudEvent, parsed; undefined when it is not JSON. */
  readonly event: unknown;
}
