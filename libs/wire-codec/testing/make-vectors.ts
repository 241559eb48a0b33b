// Writes proto/testdata: `node libs/wire-codec/testing/make-vectors.ts`. Running it again changes nothing.
import { writeFileSync } from 'node:fs';
import { makeVectors, vectorDirectory, vectorText } from './vectors.ts';

for (const [name, content] of Object.entries(await makeVectors())) {
  writeFileSync(new URL(name, vectorDirectory), vectorText(content));
  process.stdout.write(`${name}\n`);
}
