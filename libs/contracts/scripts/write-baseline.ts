import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Makes a state of proto/ the baseline: the contracts of the last release, against which today's are tested
 * (`npm run baseline`, once for each release). It lies in the repository because a clone may have no history.
 *
 * - proto/baseline/contracts.binpb: its descriptors, for `buf breaking`.
 * - libs/contracts/baseline/generated: its TypeScript, for the tests of old and new next to each other.
 *
 * The first argument names the directory of the protos; without one it is proto/ as it stands. The second one names
 * another root to write below.
 */
const root = fileURLToPath(new URL('../../../', import.meta.url));
const source = resolve(process.argv[2] ?? join(root, 'proto'));
const target = resolve(process.argv[3] ?? root);
const image = join(target, 'proto/baseline/contracts.binpb');

const buf = (...parameters: string[]) =>
  execFileSync(join(root, 'node_modules/.bin/buf'), parameters, { cwd: join(root, 'proto'), stdio: 'inherit' });

buf('build', source, '--as-file-descriptor-set', '--exclude-source-info', '--output', image);
// The same options as for today's contracts, into another directory.
const template = readFileSync(join(root, 'proto/buf.gen.yaml'), 'utf8').replace(
  'libs/contracts/src/generated',
  'libs/contracts/baseline/generated',
);
buf('generate', image, '--template', template, '--output', join(target, 'proto'));
