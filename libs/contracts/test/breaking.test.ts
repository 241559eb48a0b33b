import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { baselineImage, buf, protoDirectory, root, temporaryDirectory } from './tools.ts';

/** What old replicas send, expect and call stays as it is. */
const breaks = (against: string, today = '.') =>
  buf('breaking', today, '--against', against, '--config', join(protoDirectory, 'buf.yaml'));

/** Where the contracts of an earlier commit lie, and what was found: the baseline where the history is missing. */
function contractsAt(revision: string): { readonly against: string; readonly found: string } {
  const git = (...parameters: string[]) =>
    execFileSync('git', parameters, { cwd: root, stdio: 'pipe', maxBuffer: 64 * 1024 * 1024 });
  try {
    // A copy of the sources inside another repository has that one's history, which says nothing.
    if (realpathSync(git('rev-parse', '--show-toplevel').toString().trim()) !== realpathSync(root))
      throw new Error('this is no checkout');
    const directory = temporaryDirectory();
    execFileSync('tar', ['-x', '-C', directory], { input: git('archive', revision, 'proto') });
    return { against: join(directory, 'proto'), found: `the commit ${git('rev-parse', '--short', revision)}`.trim() };
  } catch {
    return { against: baselineImage, found: 'the baseline, because that commit is not in this clone' };
  }
}

describe("today's contracts break nothing of", () => {
  test('the last release, which is the baseline', () => {
    expect(breaks(baselineImage)).toBe('');
  });

  test.each([
    ['the last commit', 'HEAD'],
    ['the commit before it', 'HEAD~1'],
  ])('%s', (name, revision) => {
    const { against, found } = contractsAt(revision);
    process.stderr.write(`For ${name} the contracts were compared with ${found}.\n`);
    expect(breaks(against)).toBe('');
  });
});

describe('a change of the contracts is', () => {
  /** A copy of proto/ in which a text was replaced. */
  function changed(file: string, from: string | RegExp, to: string): string {
    const copy = join(temporaryDirectory(), 'proto');
    cpSync(protoDirectory, copy, { recursive: true });
    const path = join(copy, file);
    const text = readFileSync(path, 'utf8');
    const replaced = text.replace(from, to);
    if (replaced === text) throw new Error(`${file} has no ${from}`);
    writeFileSync(path, replaced);
    return copy;
  }

  const counting = 'muster/counting/v1/counting.proto';
  const activation = 'muster/activation/v1/activation.proto';

  test.each<[string, string, string | RegExp, string, RegExp]>([
    [
      'another number of a field',
      counting,
      'uint32 batch_id = 1;',
      'uint32 batch_id = 99;',
      /field "1" with name "batch_id"/,
    ],
    ['another type of a field', counting, 'uint32 batch_id = 1;', 'string batch_id = 1;', /Field "1".*changed type/],
    [
      'a list instead of a field',
      counting,
      'uint32 batch_id = 1;',
      'repeated uint32 batch_id = 1;',
      /Field "1".*cardinality/,
    ],
    ['a field that is gone', counting, 'uint32 batch_id = 1;', '', /field "1" with name "batch_id"/],
    ['a method that is gone', counting, /rpc GetCounts.*;/, '', /RPC "GetCounts"/],
    ['a method under another name', counting, 'rpc GetCounts(', 'rpc ReadCounts(', /RPC "GetCounts"/],
    ['a service under another name', counting, 'service Counting {', 'service Counter {', /"Counting"/],
    [
      'another question',
      counting,
      'rpc GetCounts(GetCountsRequest)',
      'rpc GetCounts(ListMachinesRequest)',
      /GetCounts/,
    ],
    [
      'an answer that becomes a stream',
      counting,
      'returns (GetCountsResponse)',
      'returns (stream GetCountsResponse)',
      /GetCounts/,
    ],
    ['another number of a result', activation, /(RESULT_CODE_GRANTED = )(\d+)/, '$199', /enum/i],
  ])('refused: %s', (_, file, from, to, reason) => {
    expect(() => breaks(baselineImage, changed(file, from, to))).toThrow(reason);
  });

  test.each<[string, string, string | RegExp, string]>([
    ['a new field', counting, 'uint32 batch_id = 1;', 'uint32 batch_id = 1; bytes more = 99;'],
    [
      'a new method',
      counting,
      'rpc GetCounts(',
      'rpc GetMore(GetCountsRequest) returns (GetCountsResponse);\n  rpc GetCounts(',
    ],
    ['a field that is reserved', counting, 'uint32 batch_id = 1;', 'reserved 1;\n  reserved "batch_id";'],
    ['another name of a field', counting, 'uint32 batch_id = 1;', 'uint32 batch_number = 1;'],
  ])('taken: %s', (_, file, from, to) => {
    expect(breaks(baselineImage, changed(file, from, to))).toBe('');
  });
});
