import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { methodRules } from '@muster/contracts/methods';
import {
  builtInCatalogues,
  catalogueRanges,
  formatCatalogueProblem,
  localErrorCodes,
  parseCatalogue,
  resultCodes,
} from '@muster/product-groups';
import { describe, expect, test } from 'vitest';
import { defaultLimits } from '../../apps/protocol-gateway/src/limits.ts';
import { pages, readCommands, readServices, root } from './docs.ts';

const commands = readCommands();
const services = readServices();
const documents = ['README.md', ...globSync('{docs,deploy}/**/*.md', { cwd: root })].sort();
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');

describe('what is generated', () => {
  test.each([...pages(commands, services)])('%s is what `npm run docs` writes', (path, text) => {
    expect(read(path)).toBe(text);
  });

  test('every command of muster is found', () => {
    expect(commands.map(({ path }) => path)).toContain('fleet run');
    expect(services.map(({ name }) => name)).toContain('protocol-gateway');
  });
});

describe('what is written by hand', () => {
  test('operations.md explains every option of `muster serve`', () => {
    const serve = commands.find(({ path }) => path === 'serve');
    const own = serve?.flags.filter((flag) => flag !== '--help' && flag !== '--version') ?? [];
    expect(own.filter((flag) => !read('docs/operations.md').includes(`\`${flag}\``))).toEqual([]);
  });

  test('operations.md shows every setting of the services in use', () => {
    const settings = services.flatMap((service) => service.settings);
    expect(settings.filter((setting) => !read('docs/operations.md').includes(setting))).toEqual([]);
  });

  test('operations.md has every limit of a gateway with its default', () => {
    const wrong = Object.entries(defaultLimits).filter(([name, value]) => {
      const text = name === 'connections' ? '' : ` ${value.toLocaleString('en')} |`;
      return !read('docs/operations.md').includes(`| \`${name}\` |${text}`);
    });
    expect(wrong).toEqual([]);
  });

  test('results.md has every code', () => {
    const codes = Object.keys({ ...resultCodes, ...localErrorCodes });
    expect(codes.filter((code) => !read('docs/results.md').includes(`### ${code}\n`))).toEqual([]);
  });

  test('operations.md helps with every code that can be met today, and with no other', () => {
    const [, later = ''] = /still to come: (.*)/.exec(read('docs/results.md')) ?? [];
    const expected = Object.keys({ ...resultCodes, ...localErrorCodes }).filter(
      (code) => code !== 'GRANTED' && !later.includes(`\`${code}\``),
    );
    const [, troubles = ''] = read('docs/operations.md').split('## Troubleshooting by code');
    const rows = troubles.split('\n').filter((line) => line.startsWith('| `'));
    const named = rows.flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, code]) => code));
    expect(named.sort()).toEqual(expected.sort());
  });

  test('operations.md has every limit by its name in the statistics', () => {
    const [, names = ''] = /type LimitName =([^;]+);/.exec(read('apps/protocol-gateway/src/statistics.ts')) ?? [];
    const limits = [...names.matchAll(/'([a-z-]+)'/g)].flatMap(([, name]) => name ?? []);
    expect(limits).toContain('in-flight');
    expect(limits.filter((name) => !read('docs/operations.md').includes(`| \`${name}\` |`))).toEqual([]);
  });

  test('operations.md has every check of /readyz, and says whether a service is of use without it', () => {
    const files = globSync('{apps,libs}/*/src/*.ts', { cwd: root });
    const sources = files.filter((file) => !file.endsWith('.test.ts'));
    const checks = sources.flatMap((file) => [...read(file).matchAll(/name: '(\w+)',\s+required: (true|false)/g)]);
    expect(checks.map(([, name]) => name)).toContain('database');
    const rows = checks.map(([, name, required]) => `| \`${name}\` | ${required === 'true' ? 'yes' : 'no'} |`);
    expect(rows.filter((row) => !read('docs/operations.md').includes(row))).toEqual([]);
  });

  test.each(services)('the settings file that is shown for $name names settings of it', ({ name, settings }) => {
    const page = name === 'vendor-authority' ? 'docs/keys.md' : 'docs/operations.md';
    const example = blockOf(page, `yaml ${name}`);
    const names = [...example.matchAll(/^(\w+):/gm)].flatMap(([, each]) => each ?? []);
    expect(names.length).toBeGreaterThan(3);
    const known = [...settings, ...settings.map((each) => `${each}_FILE`)];
    expect(names.filter((each) => !known.includes(each))).toEqual([]);
  });

  test('methods.md has every method that has a rule, and no other', () => {
    const page = read('docs/methods.md');
    const missing = Object.keys(methodRules).filter((path) => {
      const [, service, method] = path.split('/');
      const [, section = ''] = page.split(`## ${service}\n`);
      return !section.split('\n## ')[0]?.includes(`| \`${method}\` |`);
    });
    expect(missing).toEqual([]);
    const rows = page.split('\n').filter((line) => line.startsWith('| `'));
    expect(rows).toHaveLength(Object.keys(methodRules).length);
  });

  test('catalogue.md gives the allowed range of every number', () => {
    const wrong = Object.entries(catalogueRanges).filter(([key, { min, max }]) => {
      const range = `${min.toLocaleString('en')} to ${max.toLocaleString('en')}`;
      return !read('docs/catalogue.md').includes(`| \`${key}\` | ${range} |`);
    });
    expect(wrong).toEqual([]);
  });

  test('catalogue.md names every key of a catalogue', () => {
    const keys = [...builtInCatalogues.values()].join('\n').matchAll(/^ *([a-z]+[A-Z][A-Za-z]*|name|group|key):/gm);
    expect([...keys].filter(([, key]) => !read('docs/catalogue.md').includes(`| \`${key}\` |`))).toEqual([]);
  });

  test('the catalogue of catalogue.md is valid', () => {
    expect(parseCatalogue(blockOf('docs/catalogue.md', 'yaml'), 'my-products.yaml')).toMatchObject({ ok: true });
  });

  test('the broken catalogue of catalogue.md has the problems that are shown', () => {
    const parsed = parseCatalogue(blockOf('docs/catalogue.md', 'yaml broken'), 'broken.yaml');
    const problems = parsed.ok ? [] : parsed.problems.map(formatCatalogueProblem);
    expect(problems.join('\n')).toBe(blockOf('docs/catalogue.md', 'text problems').trim());
  });

  test('docs/README.md lists every page and every decision', () => {
    const listed = [...globSync('docs/*.md', { cwd: root }), ...globSync('docs/decisions/*.md', { cwd: root })]
      .map((path) => path.replace('docs/', ''))
      .filter((path) => path !== 'README.md' && !read('docs/README.md').includes(`](${path})`));
    expect(listed).toEqual([]);
  });
});

test.each(documents)('every link in %s leads somewhere', (path) => {
  const links = [...withoutCode(read(path)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link ?? '');
  const dead = links.filter((link) => {
    if (/^https?:/.test(link)) return false;
    const [file = '', anchor] = link.split('#');
    const target = file === '' ? path : normalize(join(dirname(path), file));
    if (!existsSync(`${root}${target}`)) return true;
    return anchor !== undefined && !anchorsOf(target).includes(anchor);
  });
  expect(dead).toEqual([]);
});

test.each(documents)('every command line in %s names a command, options and scripts that exist', (path) => {
  expect(commandLines(read(path)).flatMap((line) => problemOf(line) ?? [])).toEqual([]);
});

describe('citations in the code', () => {
  const sources = globSync(['{apps,libs}/*/{src,test,testing,migrations}/**/*.{ts,sql}', 'proto/**/*.proto'], {
    cwd: root,
  }).map((file) => [file, read(file)] as const);

  test('of documents lead to a document', () => {
    const dead = sources.flatMap(([file, text]) =>
      [...text.matchAll(/docs\/[\w/.-]+\.md/g)].filter(([cited]) => !existsSync(`${root}${cited}`)).map(() => file),
    );
    expect(dead).toEqual([]);
  });

  test('of the design lead to a section of docs/design.md', () => {
    const sections = [...read('docs/design.md').matchAll(/^#{2,3} (\d(?:\.\d)?)/gm)].map(([, section]) => section);
    const dead = sources.flatMap(([file, text]) =>
      [...text.matchAll(/DESIGN (\d(?:\.\d)?)(?: and (\d(?:\.\d)?))?/g)]
        .flatMap(([, first, second]) => [first, second ?? first])
        .filter((section) => !sections.includes(section))
        .map((section) => `${file}: DESIGN ${section}`),
    );
    expect(dead).toEqual([]);
  });
});

/** The text of the first fenced block with this info string. */
function blockOf(path: string, info: string): string {
  const [, block = ''] = new RegExp(`^\`\`\`${info}\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(read(path)) ?? [];
  return block;
}

function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, '');
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(path: string): string[] {
  const headings = [
    ...read(path)
      .replace(/^```[\s\S]*?^```$/gm, '')
      .matchAll(/^#{1,6} (.+)$/gm),
  ];
  return headings.map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-'),
  );
}

/** The lines of `sh` blocks and the inline code that call `muster` or `npm`. */
function commandLines(text: string): string[] {
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) => block.split('\n'));
  const inline = [...text.matchAll(/`((?:muster|npm) [^`\n]+)`/g)].map(([, line = '']) => line);
  return [...blocks, ...inline].flatMap((line) => line.split(/&&|[|>]/)).map((line) => line.trim());
}

/** What is wrong with a command line; undefined when nothing is, or when it calls something else. */
function problemOf(line: string): string | undefined {
  const [program, ...words] = line.split(/\s+/);
  if (program === 'npm') {
    const scripts = { ...scriptsOf('package.json'), ...scriptsOf('tools/package.json') };
    const script = words[0] === 'run' ? words[1] : words[0];
    return script === 'ci' || (script !== undefined && script in scripts) ? undefined : `${line}: no such script`;
  }
  if (program !== 'muster') return undefined;
  let path = '';
  let rest = words;
  for (let [word] = rest; word !== undefined && isSubcommand(path, word); [word] = rest) {
    path = `${path} ${word}`.trim();
    rest = rest.slice(1);
  }
  const command = commands.find((each) => each.path === path);
  if (command === undefined || (command.path === '' && rest[0] !== undefined && !rest[0].startsWith('-'))) {
    return `${line}: no such command`;
  }
  const unknown = rest.filter((word) => word.startsWith('--') && !command.flags.includes(word.split('=')[0] ?? ''));
  return unknown.length === 0 ? undefined : `${line}: no such option`;
}

function isSubcommand(path: string, word: string): boolean {
  return commands.find((each) => each.path === path)?.subcommands.includes(word) ?? false;
}

function scriptsOf(path: string): Readonly<Record<string, string>> {
  return (JSON.parse(read(path)) as { scripts: Readonly<Record<string, string>> }).scripts;
}
