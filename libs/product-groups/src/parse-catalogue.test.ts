import { describe, expect, it } from 'vitest';
import { builtInText, parsed, smallCatalogue, smallCatalogueWith } from '../test/catalogues.ts';
import { formatCatalogueProblem } from './catalogue-problem.ts';
import { parseCatalogue } from './parse-catalogue.ts';

/** Every problem of a text as `line:column path: message`. */
function problemsOf(text: string): string[] {
  const result = parseCatalogue(text, 'f');
  if (result.ok) throw new Error('expected problems');
  return result.problems.map((problem) => `${problem.line}:${problem.column} ${problem.path}: ${problem.message}`);
}

describe('a catalogue that is in order', () => {
  it('is read with everything in the order of the document', () => {
    const catalogue = parsed(smallCatalogue);
    expect(catalogue).toEqual({
      id: 'small',
      version: 1,
      title: 'Small',
      hostPlatforms: new Map([['linux', { id: 'linux', name: 'Linux' }]]),
      applications: new Map([
        [
          'app',
          {
            id: 'app',
            name: 'App',
            countVirtualMachines: false,
            validityDays: 180,
            renewalIntervalMinutes: 10_080,
            activationIntervalMinutes: 120,
            graceDays: 30,
            countRetentionDays: 30,
            clockSkewMinutes: 240,
            groups: new Map([
              ['low', { id: 'low', name: 'Low', key: 'KEY_LOW', hostPlatforms: ['linux'], includes: [] }],
              ['high', { id: 'high', name: 'High', key: 'KEY_HIGH', hostPlatforms: ['linux'], includes: ['low'] }],
            ]),
            editions: new Map([['one', { id: 'one', name: 'One', group: 'low', threshold: 5, initialGraceDays: 30 }]]),
          },
        ],
      ]),
    });
  });

  it('keeps the order of the document even where ids look like numbers', () => {
    const catalogue = parsed(smallCatalogueWith({ 5: '  linux: Linux\n  2022: Server 2022\n  10: Ten' }));
    expect([...catalogue.hostPlatforms.keys()]).toEqual(['linux', '2022', '10']);
  });

  it('may be JSON, indented with tabs and with a byte order mark', () => {
    const toJson = (value: unknown): unknown =>
      value instanceof Map ? Object.fromEntries([...value].map(([key, item]) => [key, toJson(item)])) : value;
    const { id, applications, hostPlatforms, ...rest } = parsed(smallCatalogue);
    const app = [...applications.values()].map(({ id: appId, groups, editions, ...rules }) => {
      const withoutIds = (things: ReadonlyMap<string, object>) =>
        Object.fromEntries([...things].map(([key, thing]) => [key, { ...thing, id: undefined }]));
      return [appId, { ...rules, groups: withoutIds(groups), editions: withoutIds(editions) }];
    });
    const platforms = Object.fromEntries([...hostPlatforms.values()].map((platform) => [platform.id, platform.name]));
    const document = { catalogue: id, ...rest, hostPlatforms: platforms, applications: Object.fromEntries(app) };
    const json = `\u{FEFF}${JSON.stringify(toJson(document), null, '\t')}`;
    expect(parsed(json)).toEqual(parsed(smallCatalogue));
  });

  it('may have Windows line ends, comments and blank lines', () => {
    const text = `# Ours\r\n\r\n${smallCatalogue.replaceAll('\n', ' # why\r\n')}\r\n...\r\n`;
    expect(parsed(text)).toEqual(parsed(smallCatalogue));
  });

  it.each(['windows-2008', 'acme-suite'])('is what Muster comes with: %s', (name) => {
    expect(parsed(builtInText(name)).id).toBe(name);
  });
});

describe('every number has its range, both ends included', () => {
  const inApplication = (key: string, value: unknown) => `    ${key}: ${value}`;
  it.each([
    [2, 'version', 1, 1_000_000, (value: unknown) => `version: ${value}`, ''],
    [10, 'validityDays', 8, 730, (value: unknown) => inApplication('validityDays', value), 'applications.app.'],
    [
      11,
      'renewalIntervalMinutes',
      15,
      43_200,
      (v: unknown) => inApplication('renewalIntervalMinutes', v),
      'applications.app.',
    ],
    [
      12,
      'activationIntervalMinutes',
      15,
      43_200,
      (v: unknown) => inApplication('activationIntervalMinutes', v),
      'applications.app.',
    ],
    [13, 'graceDays', 0, 365, (value: unknown) => inApplication('graceDays', value), 'applications.app.'],
    [
      14,
      'countRetentionDays',
      1,
      365,
      (value: unknown) => inApplication('countRetentionDays', value),
      'applications.app.',
    ],
    [15, 'clockSkewMinutes', 1, 240, (value: unknown) => inApplication('clockSkewMinutes', value), 'applications.app.'],
    [
      23,
      'threshold',
      1,
      1_000_000,
      (value: unknown) => `        threshold: ${value}`,
      'applications.app.editions.one.',
    ],
    [
      24,
      'initialGraceDays',
      0,
      365,
      (value: unknown) => `        initialGraceDays: ${value}`,
      'applications.app.editions.one.',
    ],
  ] as const)('line %i, %s: from %i to %i', (line, key, min, max, lineWith, parent) => {
    parsed(smallCatalogueWith({ [line]: lineWith(min) }));
    parsed(smallCatalogueWith({ [line]: lineWith(max) }));
    // A validity as short as 1 day is allowed too, with a shorter renewal interval (see below).
    const lowest = key === 'validityDays' ? 1 : min;
    const column = lineWith('').length + 1;
    for (const value of [lowest - 1, max + 1, 5.5]) {
      expect(problemsOf(smallCatalogueWith({ [line]: lineWith(value) }))).toEqual([
        `${line}:${column} ${parent}${key}: must be a whole number from ${lowest} to ${max}; found the number ${value}`,
      ]);
    }
  });

  it('a validity of one day goes with a shorter renewal interval', () => {
    parsed(smallCatalogueWith({ 10: '    validityDays: 1', 11: '    renewalIntervalMinutes: 1439' }));
  });
});

describe('a problem is reported where it is', () => {
  const identifierRule = 'lower-case letters, digits and hyphens, 1 to 64 characters, first a letter or digit';
  it.each<[string, Readonly<Record<number, string>>, string[]]>([
    [
      'an unknown key, with the one that was meant',
      { 23: '        threshold: 5\n        treshold: 5' },
      ['24:9 applications.app.editions.one.treshold: unknown key "treshold"; did you mean threshold?'],
    ],
    [
      'an unknown key that is like none',
      { 3: 'title: Small\nauthor: Me' },
      ['4:1 author: unknown key "author"; the keys here are catalogue, version, title, hostPlatforms, applications'],
    ],
    [
      'a merge key, which is a key like any other',
      { 3: 'title: Small\n<<: {}' },
      ['4:1 <<: unknown key "<<"; the keys here are catalogue, version, title, hostPlatforms, applications'],
    ],
    [
      'a key missing in an edition',
      { 23: '' },
      ['20:7 applications.app.editions.one.threshold: missing key "threshold"'],
    ],
    [
      'a key missing in a group on one line',
      { 17: '      low: {name: Low, hostPlatforms: [linux]}' },
      ['17:7 applications.app.groups.low.key: missing key "key"'],
    ],
    ['a key missing at the top', { 2: '' }, ['1:1 version: missing key "version"']],
    [
      'text in place of a number',
      { 23: '        threshold: five' },
      [
        '23:20 applications.app.editions.one.threshold: must be a whole number from 1 to 1000000; found the text "five"',
      ],
    ],
    [
      'a number in quotes',
      { 23: '        threshold: "5"' },
      ['23:20 applications.app.editions.one.threshold: must be a whole number from 1 to 1000000; found the text "5"'],
    ],
    [
      'nothing in place of a number, at its key',
      { 23: '        threshold:' },
      ['23:9 applications.app.editions.one.threshold: must be a whole number from 1 to 1000000; found nothing'],
    ],
    [
      'null in place of a number',
      { 23: '        threshold: ~' },
      ['23:20 applications.app.editions.one.threshold: must be a whole number from 1 to 1000000; found nothing'],
    ],
    [
      'infinity',
      { 23: '        threshold: .inf' },
      [
        '23:20 applications.app.editions.one.threshold: must be a whole number from 1 to 1000000; found the number Infinity',
      ],
    ],
    [
      'no in place of false',
      { 9: '    countVirtualMachines: no' },
      ['9:27 applications.app.countVirtualMachines: must be true or false; found the text "no"'],
    ],
    [
      'a number in place of a name',
      { 8: '    name: 2008' },
      ['8:11 applications.app.name: must be text of 1 to 200 characters on one line; found the number 2008'],
    ],
    [
      'an empty name',
      { 8: "    name: ' '" },
      ['8:11 applications.app.name: must be text of 1 to 200 characters on one line; found the text " "'],
    ],
    [
      'a name of two lines',
      { 8: '    name: "a\\nb"' },
      ['8:11 applications.app.name: must be text of 1 to 200 characters on one line; found the text "a\\nb"'],
    ],
    [
      'true in place of a name',
      { 5: '  linux: true' },
      ['5:10 hostPlatforms.linux: must be text of 1 to 200 characters on one line; found the boolean true'],
    ],
    [
      'a list in place of a map',
      { 17: '      low: [1]' },
      ['17:12 applications.app.groups.low: must be a map; found a list'],
    ],
    [
      'a map in place of a list',
      { 17: '      low: {name: Low, key: KEY_LOW, hostPlatforms: {linux: 1}}' },
      ['17:53 applications.app.groups.low.hostPlatforms: must be a list of identifiers; found a map'],
    ],
    [
      'one platform in place of a list',
      { 17: '      low: {name: Low, key: KEY_LOW, hostPlatforms: linux}' },
      ['17:53 applications.app.groups.low.hostPlatforms: must be a list of identifiers; found the text "linux"'],
    ],
    [
      'a duplicate key',
      { 23: '        threshold: 5\n        threshold: 6' },
      ['24:9 applications.app.editions.one.threshold: duplicate key "threshold"'],
    ],
    [
      'an edition that is there twice',
      { 24: '        initialGraceDays: 30\n      one: {}' },
      ['25:7 applications.app.editions.one: duplicate key "one"'],
    ],
    [
      'a bad identifier of an edition',
      { 20: '      One:' },
      ['20:7 applications.app.editions.One: "One" is not an identifier'],
    ],
    [
      'an identifier that begins with a hyphen',
      { 5: '  linux: Linux\n  -x: X' },
      ['6:3 hostPlatforms.-x: "-x" is not an identifier'],
    ],
    [
      'an identifier of 65 characters',
      { 5: `  linux: Linux\n  ${'x'.repeat(65)}: X` },
      [`6:3 hostPlatforms.${'x'.repeat(65)}: "${'x'.repeat(65)}" is not an identifier`],
    ],
    [
      'a bad identifier of the catalogue',
      { 1: 'catalogue: Small One' },
      [`1:12 catalogue: must be an identifier: ${identifierRule}; found the text "Small One"`],
    ],
    [
      'a bad key kind',
      { 17: '      low: {name: Low, key: kms, hostPlatforms: [linux]}' },
      [
        '17:29 applications.app.groups.low.key: must be 1 to 32 upper-case letters, digits and underscores; found the text "kms"',
      ],
    ],
    [
      'a renewal interval as long as the validity',
      { 10: '    validityDays: 7' },
      [
        '11:29 applications.app.renewalIntervalMinutes: must be shorter than validityDays, which is 10080 minutes; found 10080',
      ],
    ],
    [
      'an edition of an unknown group',
      { 22: '        group: lov' },
      ['22:16 applications.app.editions.one.group: unknown group "lov"; did you mean low?'],
    ],
    [
      'an unknown host platform',
      { 17: '      low: {name: Low, key: KEY_LOW, hostPlatforms: [linux, solaris]}' },
      ['17:61 applications.app.groups.low.hostPlatforms[1]: unknown host platform "solaris"'],
    ],
    [
      'an unknown group that is included',
      { 18: '      high: {name: High, key: KEY_HIGH, hostPlatforms: [linux], includes: [loww]}' },
      ['18:76 applications.app.groups.high.includes[0]: unknown group "loww"; did you mean low?'],
    ],
    [
      'a platform that is listed twice',
      { 17: '      low: {name: Low, key: KEY_LOW, hostPlatforms: [linux, linux]}' },
      ['17:61 applications.app.groups.low.hostPlatforms[1]: "linux" is listed twice'],
    ],
    [
      'a cycle of groups',
      { 17: '      low: {name: Low, key: KEY_LOW, hostPlatforms: [linux], includes: [high]}' },
      ['18:76 applications.app.groups.high.includes[0]: groups include each other in a cycle: low -> high -> low'],
    ],
    [
      'a group that includes itself',
      { 17: '      low: {name: Low, key: KEY_LOW, hostPlatforms: [linux], includes: [low]}' },
      ['17:73 applications.app.groups.low.includes[0]: groups include each other in a cycle: low -> low'],
    ],
    [
      'a key kind that is taken',
      { 18: '      high: {name: High, key: KEY_LOW, hostPlatforms: [linux]}' },
      [
        '18:31 applications.app.groups.high.key: the key kind "KEY_LOW" is taken already by applications.app.groups.low.key',
      ],
    ],
    [
      'a group that is hosted nowhere',
      { 17: '      low: {name: Low, key: KEY_LOW, hostPlatforms: []}' },
      ['17:53 applications.app.groups.low.hostPlatforms: the group is hosted nowhere'],
    ],
    [
      'an application without editions',
      { 19: '    editions: {}', 20: '', 21: '', 22: '', 23: '', 24: '' },
      ['19:15 applications.app.editions: there must be at least one of the editions'],
    ],
    [
      'an application without groups',
      { 16: '    groups: {}', 17: '', 18: '' },
      [
        '16:13 applications.app.groups: there must be at least one of the groups',
        '20:16 applications.app.editions.one.group: unknown group "low"',
      ],
    ],
    [
      'host platforms that cannot be read, and nothing that follows from it',
      { 4: 'hostPlatforms: 7', 5: '' },
      ['4:16 hostPlatforms: must be a map; found the number 7'],
    ],
    [
      'groups that are missing, and nothing that follows from it',
      { 16: '', 17: '', 18: '' },
      ['7:3 applications.app.groups: missing key "groups"'],
    ],
  ])('%s', (_what, lines, problems) => {
    expect(problemsOf(smallCatalogueWith(lines))).toEqual(problems);
  });

  it('a key kind that an application before it has', () => {
    const [head, app] = smallCatalogue.split('applications:\n');
    const text = `${head}applications:\n${app}\n${app?.replace('  app:', '  other:')}`;
    expect(problemsOf(text)).toEqual([
      '35:29 applications.other.groups.low.key: the key kind "KEY_LOW" is taken already by applications.app.groups.low.key',
      '36:31 applications.other.groups.high.key: the key kind "KEY_HIGH" is taken already by applications.app.groups.high.key',
    ]);
  });

  it('a catalogue without applications', () => {
    const text = `${smallCatalogue.split('applications:')[0]}applications: {}`;
    expect(problemsOf(text)).toEqual(['6:15 applications: there must be at least one of the applications']);
  });

  it.each([
    ['', 'nothing'],
    ['# only a comment\n', 'nothing'],
    ['- a\n', 'a list'],
    ['catalogue', 'the text "catalogue"'],
  ])('a text that is no map: %j', (text, found) => {
    expect(problemsOf(text).map((problem) => problem.replace(/^\d+:\d+ /, ''))).toEqual([
      `: a catalogue must be a map; found ${found}`,
    ]);
  });
});

describe('all problems come at once', () => {
  it('in the order of the text', () => {
    const text = smallCatalogueWith({ 2: 'version: 0', 10: '    validityDays: x', 18: '', 22: '        group: high' });
    expect(problemsOf(text).map((problem) => problem.split(' ')[0])).toEqual(['2:10', '10:19', '21:16']);
  });

  it('but never more than 50', () => {
    const lines = Array.from({ length: 70 }, (_, index) => `unknown-${index}: 1`).join('\n');
    const problems = problemsOf(`${smallCatalogue}\n${lines}`);
    expect(problems).toHaveLength(50);
    expect(problems[49]).toMatch(/^74:1 unknown-49: /);
  });

  it('each with its source, and a remedy where the message does not say it', () => {
    const result = parseCatalogue(smallCatalogueWith({ 8: '    name: 2008' }), 'products.yaml');
    const [problem] = result.ok ? [] : result.problems;
    expect(problem).toEqual({
      source: 'products.yaml',
      line: 8,
      column: 11,
      path: 'applications.app.name',
      message: 'must be text of 1 to 200 characters on one line; found the number 2008',
      remedy: 'Put the value in double quotes.',
    });
  });
});

describe('a problem in one line', () => {
  const problem = { source: 'f.yaml', line: 3, column: 7, path: 'a.b', message: 'must be a map' };
  it('is file, line, column, path and message', () => {
    expect(formatCatalogueProblem(problem)).toBe('f.yaml:3:7: a.b: must be a map');
  });
  it('leaves out a path that it does not have', () => {
    expect(formatCatalogueProblem({ ...problem, path: '' })).toBe('f.yaml:3:7: must be a map');
  });
});
