/**
 * The checker as a program of its own: reads the activation log, the stream and what the clients wrote down, and prints
 * what contradicts. Ends with 1 when something does.
 *
 * With `--follow` it stays and checks again for each line `check` or `final` on standard input, and prints a report in
 * JSON on a line each time: what is checked again is only what is new.
 */
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { Checker, type CheckReport } from './checker.ts';

const { values } = parseArgs({
  options: {
    database: { type: 'string' },
    nats: { type: 'string' },
    answers: { type: 'string' },
    patience: { type: 'string', default: '15' },
    follow: { type: 'boolean', default: false },
  },
});
const { database, nats, answers: answersFile, patience, follow } = values;
if (database === undefined || nats === undefined || answersFile === undefined) {
  process.stderr.write(
    'Usage: --database postgres://... --nats nats://... --answers FILE [--patience SECONDS] [--follow]\n',
  );
  process.exit(2);
}

const checker = new Checker({ database, nats, answersFile, patienceMs: Number(patience) * 1_000 });
let violations = 0;
if (follow) {
  for await (const line of createInterface({ input: process.stdin })) {
    const report = await checker.check(line === 'final');
    violations = report.violations;
    process.stdout.write(`${JSON.stringify(report)}\n`);
  }
} else {
  const report = await checker.check(true);
  violations = report.violations;
  print(report);
}
process.exit(violations === 0 ? 0 : 1);

function print(report: CheckReport): void {
  for (const { rule, message, evidence } of report.kept) {
    process.stdout.write(`${rule}: ${message}\n${JSON.stringify(evidence, undefined, 2)}\n`);
  }
  const { rows, answers, granted, messages, repeated, committedWithoutAnswer } = report;
  process.stdout.write(
    `${rows} rows, ${answers} answers (${granted} granted), ${messages} messages (${repeated} repeated), ` +
      `${committedWithoutAnswer} committed without an answer: ${report.violations} violations\n`,
  );
}
