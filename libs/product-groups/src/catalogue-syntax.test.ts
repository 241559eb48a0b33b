import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { smallCatalogue } from '../test/catalogues.ts';
import { builtInCatalogues } from './built-in-catalogues.ts';
import { catalogueLimits } from './catalogue-limits.ts';
import { parseCatalogue } from './parse-catalogue.ts';

function problemsOf(text: string): string[] {
  const result = parseCatalogue(text, 'f');
  if (result.ok) throw new Error('expected problems');
  return result.problems.map((problem) => `${problem.line}:${problem.column} ${problem.message}`);
}

describe('text that is not YAML', () => {
  it.each([
    ['a list that is not closed', 'a: [1\nb: 2\n', '2:1'],
    ['a quote that is not closed', 'a: 1\nb: "x\n', '3:1'],
    ['a tab as indentation', 'a:\n\tb: 1\n', '2:1'],
    ['a map where there can be none', 'a: b: c\n', '1:4'],
    ['a key that is a list', '? [a]\n: 1\n', '1:3'],
    ['a character that nothing begins with', 'a: 1\r\nb: @x\r\n', '2:4'],
  ])('is reported where it breaks: %s', (_what, text, place) => {
    expect(problemsOf(text)[0]).toMatch(new RegExp(`^${place} .`));
  });
});

describe('what YAML can do and a catalogue may not', () => {
  it('anchors, aliases and tags are all reported, and only where they are not text', () => {
    const text = 'a: &x 1\nb: *x\nc: !!str q\nd: "&x *y !z"\ne: a & b * c ! d\nf: |\n  &x\ng: !own {}\n';
    expect(problemsOf(text)).toEqual([
      '1:4 anchors are not allowed in a catalogue',
      '2:4 aliases are not allowed in a catalogue',
      '3:4 tags are not allowed in a catalogue',
      '8:4 tags are not allowed in a catalogue',
    ]);
  });

  it('text at the margin is no anchor, whatever it begins with', () => {
    expect(problemsOf('--- |\n&x\n')).toEqual(['1:5 a catalogue must be a map; found the text "&x\\n"']);
  });

  it('directives, which could make yes a boolean', () => {
    expect(problemsOf('%YAML 1.1\n---\na: yes\n')).toEqual(['1:1 directives are not allowed in a catalogue']);
  });

  it.each([
    ['a: 1\n---\nb: 2\n', '2:1'],
    ['a: 1\n...\nb: 2\n', '3:1'],
    [`${'---\n'.repeat(100_000)}`, '2:1'],
  ])('a second document', (text, place) => {
    expect(problemsOf(text)).toEqual([`${place} a catalogue is one document; a second one begins here`]);
  });

  it('one document may begin with its marker', () => {
    expect(parseCatalogue(`---\n${smallCatalogue}\n...\n`, 'f').ok).toBe(true);
  });
});

describe('text that is made to keep the reader busy', () => {
  const mebibyte = catalogueLimits.bytes;
  it('more than 1 MiB is refused unread', () => {
    expect(problemsOf('a'.repeat(10 * mebibyte))).toEqual(['1:1 the text is longer than 1 MiB']);
    expect(problemsOf('é'.repeat(mebibyte / 2 + 1))).toEqual(['1:1 the text is longer than 1 MiB']);
  });

  it('exactly 1 MiB is read', () => {
    const text = `${smallCatalogue}\n# `;
    expect(parseCatalogue(text + 'x'.repeat(mebibyte - text.length), 'f').ok).toBe(true);
  });

  it.each([
    ['[', '1:20'],
    ['{', '1:20'],
    ['- ', '1:39'],
    ['? ', '1:39'],
  ])('values nested without end are refused where they pass the limit: %j', (mark, place) => {
    expect(problemsOf(mark.repeat(mebibyte / 2))).toEqual([`${place} values are nested too deeply`]);
  });

  it('a billion laughs are refused at the first 50', () => {
    const laughs = Array.from({ length: 60 }, (_, i) => `b${i}: &b${i} [*a,*a,*a,*a,*a,*a,*a,*a,*a]`).join('\n');
    const problems = problemsOf(`a: &a [x]\n${laughs}`);
    expect(problems).toHaveLength(50);
    expect(problems.slice(0, 3)).toEqual([
      '1:4 anchors are not allowed in a catalogue',
      '2:5 anchors are not allowed in a catalogue',
      '2:10 aliases are not allowed in a catalogue',
    ]);
  });

  it.each([',', '"', 'a,', '\n', ']', '# c\n'])('countless small things are refused: %j', (thing) => {
    const problems = problemsOf(`{${thing.repeat(mebibyte / 8)}`);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/more than 60000 words and marks up to here$/);
  });

  it('a chain of groups longer than a call stack is followed', () => {
    const chain = Array.from(
      { length: 1000 },
      (_, i) => `      g${i}: {name: G, key: K${i}, hostPlatforms: [linux], includes: [g${(i + 1) % 1000}]}`,
    );
    expect(problemsOf(smallCatalogue.replace('    groups:', `    groups:\n${chain.join('\n')}`))).toEqual([
      '1016:69 groups include each other in a cycle: g0 -> g1 -> g2 -> g3 -> g4 -> g5 -> … -> g996 -> g997 -> g998 -> g999 -> g0',
    ]);
  });
});

describe('no text makes the reader throw', () => {
  /** What comes back must be a catalogue, or problems that lie within the text, in order. */
  function checkAnswer(text: string): void {
    const result = parseCatalogue(text, 'f');
    if (result.ok) return;
    expect(result.problems.length).toBeGreaterThan(0);
    expect(result.problems.length).toBeLessThanOrEqual(50);
    const lines = text.split('\n');
    let last = { line: 1, column: 1 };
    for (const { line, column, message } of result.problems) {
      expect(message).not.toMatch(/\n/);
      expect(line > last.line || (line === last.line && column >= last.column)).toBe(true);
      expect(line).toBeLessThanOrEqual(lines.length);
      expect(column).toBeLessThanOrEqual((lines[line - 1]?.length ?? 0) + 1);
      last = { line, column };
    }
  }

  it('any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), checkAnswer), { numRuns: 500 });
  });

  it('any text of the marks of YAML', () => {
    const mark = fc.constantFrom(...'{}[],:?-&*!|>%@`\'"# \n\t\r~a1'.split(''), '---\n', '...\n', ': ', '- ');
    fc.assert(fc.property(fc.string({ unit: mark, maxLength: 60 }), checkAnswer), { numRuns: 1000 });
  });

  it('any JSON', () => {
    fc.assert(fc.property(fc.json(), checkAnswer), { numRuns: 300 });
  });

  it('a built-in catalogue with a piece cut out, doubled, or replaced', () => {
    const texts = fc.constantFrom(...builtInCatalogues.values());
    const piece = fc.oneof(
      fc.constantFrom('', '\n', ':', '[', ']', '{', '}', '"', '&a', '*a', '!t', '0', '-1', 'null', 'x: y', '---', '\t'),
      fc.string({ maxLength: 10 }),
    );
    const mutation = fc.record({ at: fc.nat(5000), length: fc.nat(80), piece, doubled: fc.boolean() });
    fc.assert(
      fc.property(texts, fc.array(mutation, { minLength: 1, maxLength: 4 }), (text, mutations) => {
        const mutated = mutations.reduce((before, { at, length, piece: put, doubled }) => {
          const from = at % (before.length + 1);
          const cut = before.slice(from, from + length);
          return before.slice(0, from) + put + (doubled ? cut + cut : '') + before.slice(from + length);
        }, text);
        checkAnswer(mutated);
      }),
      { numRuns: 400 },
    );
  });
});
