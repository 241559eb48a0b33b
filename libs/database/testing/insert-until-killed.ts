import { openPglite } from '../src/pglite.ts';

/** Inserts numbers into the table of an embedded database and writes each one when it is committed, until it is killed. */
const database = await openPglite({ directory: process.argv[2] ?? '' });
for (let n = 1; n <= 1_000_000; n += 1) {
  await database.query({ name: 'test.insert', text: 'insert into number values ($1::integer)' }, [n]);
  process.stdout.write(`${n}\n`);
}
