import type { Database } from '@muster/database';
import fc from 'fast-check';
import { cmidOf } from './machines.ts';

/** Texts that formats trip over. PostgreSQL knows every character but the zero. */
const text = fc.oneof(
  fc.constantFrom('', 'null', '\\', '"', "'", '\n', '\r\n', '\u2028', '{"table":"x"}', '\\u0000', 'Zo\u00eb \u{1f5a5}'),
  fc.string({ unit: 'binary', maxLength: 40 }).map((each) => each.replaceAll('\0', '0')),
);
const times = [
  'infinity',
  '-infinity',
  '0001-01-01T00:00:00.000001Z',
  '1969-12-31T23:59:59.999999Z',
  '2026-02-28T23:59:59.5-11:30',
  '2026-10-25T02:30:00.123456+02:00',
  '2026-11-01T00:00:00Z',
  '294276-12-31T23:59:59.999999Z',
] as const;
const anyTime = fc.constantFrom(...times, '4714-11-24 00:00:00+00 BC');
/** The first instant of all has no month that begins, so no clock gives it to the log. */
const logTime = fc.constantFrom(...times);
// JSON has no bigint in JavaScript, so the extremes are texts.
const bigint = fc.constantFrom('0', '-1', '9007199254740993', '9223372036854775807', '-9223372036854775808');
const integer = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const hexadecimal = fc.uint8Array({ maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const machineClass = fc.constantFrom('physical', 'virtual', 'container');

const machine = fc.record({
  application: fc.constantFrom('odd', 'strange "one"'),
  edition: text,
  machine_class: machineClass,
  machine_name: text,
  fingerprint: hexadecimal,
  raises_count: fc.boolean(),
  first_request_at: anyTime,
  last_request_at: anyTime,
  requests: bigint,
  last_code: text,
  cloned_at: fc.option(anyTime),
});
const identity = fc.record({ machine_name: text, fingerprint: hexadecimal, last_seen_at: anyTime });
const logged = fc.record({
  activation_id: fc.uuid(),
  occurred_at: logTime,
  gateway_id: text,
  remote_address: text,
  application: text,
  edition: text,
  cmid: fc.uuid(),
  previous_cmid: fc.option(fc.uuid()),
  machine_class: text,
  machine_name: text,
  fingerprint: hexadecimal,
  licence_status: text,
  client_version: text,
  code: text,
  count: integer,
  threshold: integer,
  first_seen: fc.boolean(),
  cloned: fc.boolean(),
});

/** Rows of each kind. */
export const oddRows = 300;

/** Fills an empty site with rows that no client would lead to and that a database may hold. The log is all published. */
export async function addOddRows(database: Database, seed: number): Promise<void> {
  const sample = <Row>(rows: fc.Arbitrary<Row>) => fc.sample(rows, { numRuns: oddRows, seed });
  const insert = (table: string, rows: readonly object[]) =>
    database.query(
      {
        name: `test.odd_${table}`,
        text: `insert into counting.${table} select * from json_populate_recordset(null::counting.${table}, $1::json)`,
      },
      [JSON.stringify(rows)],
    );
  const machines = sample(machine).map((each, index) => ({ ...each, cmid: cmidOf(1_000_000 + index) }));
  await insert('machine', machines);
  const identities = sample(identity).map((each, index) => {
    const { application, cmid } = machines[index % 20] ?? {};
    return { ...each, application, cmid };
  });
  await insert('machine_identity', identities.filter(isFirst));
  // Ids have gaps: what was rolled back leaves some.
  const log = sample(logged).map((each, index) => ({ ...each, id: 3 * index + 1 }));
  await insert('activation_log', log);
  const last = log.at(-1)?.id ?? 0;
  await database.query(
    {
      name: 'test.odd_cursor',
      text: `insert into counting.outbox_cursor (consumer, last_id) values ('bus', $1::bigint)`,
    },
    [last],
  );
  await database.query(
    { name: 'test.odd_sequence', text: `select setval('counting.activation_log_id_seq', $1::bigint)` },
    [last],
  );
}

/** One CMID has an identity once. */
function isFirst<Row extends { readonly cmid: unknown; readonly machine_name: string; readonly fingerprint: string }>(
  row: Row,
  index: number,
  all: readonly Row[],
): boolean {
  const key = (each: Row) => JSON.stringify([each.cmid, each.machine_name, each.fingerprint]);
  return all.findIndex((each) => key(each) === key(row)) === index;
}
