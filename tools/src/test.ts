import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { allRequirements, requireEngines } from './requirements.ts';

/**
 * `npm test`: every check of the workspace, through nx: format, lint with module boundaries, types, tests and bundles;
 * then, alone on the machine because it measures, the fault campaign. Ends with the sum of all tests on a line of its
 * own; each run of the campaign is one of them. The engines that tests run come first: without them nothing is tested,
 * and nothing passes.
 */
const root = fileURLToPath(new URL('../../', import.meta.url));

/** The parts of vitest's JSON report that are summed. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
}

await requireEngines(allRequirements).catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});

const nx = spawnSync(
  `${root}node_modules/.bin/nx`,
  ['run-many', '-t', 'format', 'lint', 'typecheck', 'test', 'build', '--parallel=2', '--output-style=stream'],
  { cwd: root, stdio: 'inherit', env: { ...process.env, NX_DAEMON: 'false', NX_TUI: 'false' } },
);

let passed = 0;
let failed = 0;
let skipped = 0;
for (const project of projects()) {
  const path = `${root}${project}/dist/test-report.json`;
  if (!existsSync(path)) continue;
  const report = JSON.parse(readFileSync(path, 'utf8')) as Report;
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  skipped += report.numPendingTests;
}
// The same faults every time, so that a failure can be looked into; other seeds are for `npm run faults`.
const campaignSeed = '20261124';
let campaign: number | null = 0;
if (nx.status === 0) {
  const report = `${root}tools/dist/faults-report.json`;
  rmSync(report, { force: true });
  mkdirSync(`${root}tools/dist`, { recursive: true });
  const parameters = [`${root}tools/src/faults/main.ts`, '--ci', '--seed', campaignSeed, '--json', report];
  campaign = spawnSync(process.execPath, parameters, { cwd: root, stdio: 'inherit' }).status;
  const runs: readonly { readonly problems: readonly string[] }[] = existsSync(report)
    ? JSON.parse(readFileSync(report, 'utf8'))
    : [];
  const kept = runs.filter(({ problems }) => problems.length === 0).length;
  passed += kept;
  failed += campaign === 0 ? 0 : Math.max(1, runs.length - kept);
}
const ok = nx.status === 0 && campaign === 0 && failed === 0 && passed > 0;
if (!ok && failed === 0) process.stdout.write('A check failed: see above.\n');
process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exit(ok ? 0 : 1);

function projects(): string[] {
  const within = (folder: string) => readdirSync(`${root}${folder}`).map((name) => `${folder}/${name}`);
  return [...within('libs'), ...within('apps'), 'tools'];
}
