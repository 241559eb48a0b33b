import { subjectTitles } from './cases.ts';
import type { PackageLines } from './count-lines.ts';
import type { LoadFigures } from './measure-load.ts';
import type { Report } from './report.ts';
import type { Spread } from './spread.ts';

/** The report as text, at most 110 columns wide. */
export function textReport(report: Report): string {
  const { machine, rounds, seconds, startUp } = report;
  const verified = report.load.reduce((sum, each) => sum + each.verified, 0);
  return [
    `Muster ${machine.commit} on ${machine.processors} x ${machine.processor}, ${machine.memoryGibibytes} GiB,`,
    `${machine.system}, Node ${machine.node}`,
    '',
    'Activations, durable on PGlite, and the raw TCP echo of the same frames beside them:',
    `median (least..greatest) of ${rounds} rounds of ${seconds} s in turn. Server, echo and load generator are a process each.`,
    `Every answer was right; ${verified} were verified from the vendor's key down. Durable: committed, and safe from a`,
    'killed process. Of echo: of its answers per second. Generator: how busy the load generator was.',
    '',
    ...loadTable(report.load),
    '',
    'Start-up, from the start of the process to its first verified answer: median (least..greatest) of 3',
    ...table(
      [
        ['fresh data directory', inMilliseconds(startUp.freshMs)],
        ['data directory of the load above', inMilliseconds(startUp.existingMs)],
      ],
      ['left', 'right'],
    ),
    '',
    'Lines of code, neither blank nor generated',
    ...linesTable(report.lines),
    '',
  ].join('\n');
}

function loadTable(figures: readonly LoadFigures[]): string[] {
  const head = ['', 'per second', 'p50 ms', 'p99 ms', 'of echo', 'generator'];
  const rows = figures.map(({ subject, perSecond, p50Ms, p99Ms, ofEcho, generatorBusy }) => [
    `  ${subjectTitles[subject]}`,
    withSpread(perSecond, 0),
    withSpread(p50Ms, digitsOf(p50Ms)),
    withSpread(p99Ms, digitsOf(p99Ms)),
    percent(ofEcho),
    percent(generatorBusy.median),
  ]);
  const [headLine = '', ...lines] = table([head, ...rows], ['left', 'right', 'right', 'right', 'right', 'right']);
  return [
    headLine,
    ...lines.flatMap((line, index) => {
      const shape = figures[index]?.shape;
      return shape?.id === figures[index - 1]?.shape.id ? [line] : [shape?.title ?? '', line];
    }),
  ];
}

function linesTable(lines: readonly PackageLines[]): string[] {
  const numbers = ({ typescript, sql, proto, tests }: Omit<PackageLines, 'package'>) =>
    [typescript, sql, proto, tests].map((number) => (number === 0 ? '' : grouped(number)));
  const sum = (of: (each: PackageLines) => number) => lines.reduce((total, each) => total + of(each), 0);
  const total = {
    typescript: sum((each) => each.typescript),
    sql: sum((each) => each.sql),
    proto: sum((each) => each.proto),
    tests: sum((each) => each.tests),
  };
  return table(
    [
      ['', 'TypeScript', 'SQL', 'proto', 'tests'],
      ...lines.map((each) => [each.package, ...numbers(each)]),
      ['all', ...numbers(total)],
    ],
    ['left', 'right', 'right', 'right', 'right'],
  );
}

function table(rows: readonly (readonly string[])[], sides: readonly ('left' | 'right')[]): string[] {
  const widths = sides.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        sides[column] === 'left' ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}

function withSpread({ median, least, greatest }: Spread, digits: number): string {
  return `${grouped(median, digits)} (${grouped(least, digits)}..${grouped(greatest, digits)})`;
}

/** Decimals that leave a latency about three significant digits. */
function digitsOf({ median }: Spread): number {
  if (median >= 100) return 0;
  return median >= 10 ? 1 : 2;
}

function inMilliseconds(spread: Spread): string {
  return `${withSpread(spread, 0)} ms`;
}

function grouped(value: number, digits = 0): string {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function percent(part: number): string {
  return `${(part * 100).toFixed(part < 0.1 ? 1 : 0)} %`;
}
