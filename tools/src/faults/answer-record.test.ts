import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { AnswerReader, AnswerWriter } from './answer-record.ts';
import { honestHistory } from './check/forged.ts';

const directory = mkdtempSync(join(tmpdir(), 'muster-answers-'));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('a reader gets what was written since it last looked, and a torn line when it is whole', () => {
  const path = join(directory, 'answers.ndjson');
  const reader = new AnswerReader(path);
  const writer = new AnswerWriter(path);
  const [first, second, third] = honestHistory().records;
  if (first === undefined || second === undefined || third === undefined) throw new Error('the history is too short');
  expect(reader.read()).toEqual([]);
  writer.write(first);
  writer.write(second);
  expect(reader.read()).toEqual([first, second]);
  const line = `${JSON.stringify(third)}\n`;
  appendFileSync(path, line.slice(0, 40));
  expect(reader.read()).toEqual([]);
  appendFileSync(path, line.slice(40));
  expect(reader.read()).toEqual([third]);
  expect(new AnswerReader(path).read()).toEqual([first, second, third]);
});
