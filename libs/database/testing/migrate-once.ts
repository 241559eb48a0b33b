import { openPostgresql } from '../src/postgresql.ts';

/** Migrates a schema and writes the names of the migrations that this process applied. */
const [url = '', schema = '', directory = ''] = process.argv.slice(2);
const database = await openPostgresql({ url });
const applied = await database.migrate({ schema, directory });
await database.close();
process.stdout.write(`${JSON.stringify(applied)}\n`);
