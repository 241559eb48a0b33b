import { spawnSync } from 'node:child_process';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ResultCode } from '@muster/contracts/activation';
import { type MethodRule, methodRules, roles } from '@muster/contracts/methods';
import {
  type Application,
  builtInCatalogues,
  type CodeDescription,
  countCap,
  groupsServedBy,
  localErrorCodes,
  parseCatalogue,
  resultCodes,
} from '@muster/product-groups';
import { exitCodes } from '../../apps/muster/src/output.ts';

/**
 * `npm run docs`: writes what of docs/ follows from the code: commands.md, results.md, methods.md, and the tables of the
 * built-in catalogues in catalogue.md.
 */
export const root = fileURLToPath(new URL('../../', import.meta.url));

/** A command of `muster` as its `--help` shows it. */
export interface CommandHelp {
  /** Its name and those above it, such as `fleet run`; empty for `muster` itself. */
  readonly path: string;
  readonly help: string;
  readonly flags: readonly string[];
  readonly subcommands: readonly string[];
}

/** A service that runs as a process of its own, as its `--help` shows it. */
export interface ServiceHelp {
  readonly name: string;
  readonly help: string;
  readonly settings: readonly string[];
}

/** Every command of `muster`, from the outermost inwards. */
export function readCommands(path: readonly string[] = []): readonly CommandHelp[] {
  const help = run(`${root}apps/muster/bin/muster`, [...path, '--help']);
  const [, section = ''] = /^Commands:\n((?: .*\n?)+)/m.exec(help) ?? [];
  const names = [...section.matchAll(/^ {2}([a-z-]+)/gm)].flatMap(([, name]) => name ?? []);
  const subcommands = names.filter((name) => name !== 'help');
  const flags = [...help.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].flatMap(([, flag]) => flag ?? []);
  const inner = subcommands.flatMap((name) => readCommands([...path, name]));
  return [{ path: path.join(' '), help, flags, subcommands }, ...inner];
}

/** Every service with a `main.ts` of its own. */
export function readServices(): readonly ServiceHelp[] {
  const mains = globSync('apps/*/src/main.ts', { cwd: root }).sort();
  return mains.flatMap((main) => {
    const name = main.split('/')[1] ?? '';
    if (name === 'muster') return [];
    const help = run(process.execPath, [`${root}${main}`, '--help']);
    return [{ name, help, settings: [...help.matchAll(/^ {2}(MUSTER_\w+)/gm)].flatMap(([, each]) => each ?? []) }];
  });
}

/** The pages that are generated, by their path from the root. */
export function pages(commands: readonly CommandHelp[], services: readonly ServiceHelp[]): ReadonlyMap<string, string> {
  const catalogue = 'docs/catalogue.md';
  return new Map([
    ['docs/commands.md', commandsPage(commands, services)],
    ['docs/results.md', resultsPage()],
    ['docs/methods.md', methodsPage()],
    [catalogue, withTables(readFileSync(`${root}${catalogue}`, 'utf8'))],
  ]);
}

const generated = '<!-- Written by `npm run docs`. Do not edit. -->';

const exitCodeMeanings: Readonly<Record<keyof typeof exitCodes, string>> = {
  success: 'done',
  failure: 'failed; the line on standard error says why and what to do',
  usage: 'wrong usage or input',
  interrupted: 'interrupted',
};

function commandsPage(commands: readonly CommandHelp[], services: readonly ServiceHelp[]): string {
  const title = (path: string) => ['muster', path].join(' ').trim();
  return `# Commands and settings

${generated}

What \`--help\` prints. Results go to standard output, everything else to standard error; colours are left out when
\`NO_COLOR\` is set or the output is no terminal. \`MUSTER_DATA\` names the data directory where \`--data\` is left out.

${commands.map(({ path }) => `- [\`${title(path)}\`](#${title(path).replaceAll(' ', '-')})`).join('\n')}
- Services as processes of their own: ${services.map(({ name }) => `[\`${name}\`](#${name})`).join(', ')}

## Exit codes

| code | of every \`muster\` command |
| --- | --- |
${Object.entries(exitCodeMeanings)
  .map(([name, meaning]) => `| ${exitCodes[name as keyof typeof exitCodes]} | ${meaning} |`)
  .join('\n')}

A service ends with 0 when it was stopped as asked, 1 when it could not start, failed or drained for too long, and 2 when
its settings or its TLS files are wrong.

${commands.map(({ path, help }) => `## ${title(path)}\n\n${block(help)}`).join('\n\n')}

${services.map(({ name, help }) => `## ${name}\n\nStarted by \`node apps/${name}/src/main.ts\`.\n\n${block(help)}`).join('\n\n')}
`;
}

function block(text: string): string {
  return `\`\`\`text\n${text.trim()}\n\`\`\``;
}

function resultsPage(): string {
  const source = productSource();
  const unused = (codes: readonly [string, CodeDescription][]) =>
    codes.filter(([code]) => !source.includes(`'${code}'`)).map(([code]) => `\`${code}\``);
  const results = Object.entries(resultCodes);
  const errors = Object.entries(localErrorCodes);
  const later = [...unused(results), ...unused(errors)];
  return `# Result codes

${generated}

Stable codes, each with one cause and one remedy, spelled the same in the commands, the logs, the events and on the wire.
A code with a number travels in the [activation protocol](protocol.md) under it. Microsoft's nearest code is an aid to
administrators who know it; Muster never sends it.

Nothing gives these yet; they belong to parts that are still to come: ${later.join(', ')}.

## Results

${table(results)}

${results.map(section).join('\n\n')}

## Errors of commands and services

None of these travels in the activation protocol. Between the services they do: an error crosses gRPC with its code.

${table(errors)}

${errors.map(section).join('\n\n')}
`;
}

/** The code of the product as one text, without the tables of codes, the tests and what is generated. */
function productSource(): string {
  const files = globSync('{apps,libs}/*/src/**/*.ts', { cwd: root });
  return files
    .filter((file) => !/\.test\.ts$|\/generated\/|\/(result|local-error)-codes\.ts$/.test(file))

    .map((file) => readFileSync(`${root}${file}`, 'utf8'))
    .join('\n');
}

function table(codes: readonly [string, CodeDescription][]): string {
  const rows = codes.map(([code, { meaning, familiar }]) => {
    const number = (ResultCode as Readonly<Record<string, number>>)[code];
    return `| [\`${code}\`](#${code.toLowerCase()}) | ${meaning} | ${number ?? ''} | ${familiar ?? ''} |`;
  });
  return ["| code | meaning | number | Microsoft's nearest |", '| --- | --- | --- | --- |', ...rows].join('\n');
}

function section([code, { meaning, cause, remedy, familiar }]: [string, CodeDescription]): string {
  const nearest = familiar === undefined ? '' : `\n- Microsoft's nearest code: \`${familiar}\``;
  return `### ${code}\n\n${meaning}\n\n- Cause: ${cause}\n- Remedy: ${remedy}${nearest}`;
}

/** A method of a gRPC service as proto/ declares it. */
interface DeclaredMethod {
  /** Such as `/muster.counting.v1.Counting/GetCounts`. */
  readonly path: string;
  readonly service: string;
  readonly name: string;
  /** The comment above it, in one line; empty when there is none. */
  readonly comment: string;
}

function methodsPage(): string {
  const source = productSource();
  const services = Object.entries(Object.groupBy(declaredMethods(), ({ service }) => service));
  return `# Who may call what

${generated}

Every gRPC method between the parts of a site, from
[methods.ts](../libs/contracts/src/methods.ts). A caller is the role that its certificate names, one of
${roles.map((role) => `\`${role}\``).join(', ')}
([decision 0015](decisions/0015-mutual-tls-by-role.md)); everybody else is answered \`NOT_AUTHORISED\`. A service with a
method that is missing in the table does not start. Health (\`grpc.health.v1.Health\`) and reflection are served beside them
to everybody with a certificate of the site's authority.

*Repeated* says whether a call is made again by itself, three times at most, when the service is away
([decision 0016](decisions/0016-calls-between-services.md)).

${services.map(([name, methods = []]) => methodsSection(name, methods, source)).join('\n\n')}
`;
}

function methodsSection(service: string, methods: readonly DeclaredMethod[], source: string): string {
  const note = source.includes(`${service.split('.').at(-1)}Service`) ? '' : '\nNothing serves it yet.\n';
  const rows = methods.map(({ path, name, comment }) => {
    const rule = methodRules[path];
    if (rule === undefined) throw new Error(`${path} has no rule in libs/contracts/src/methods.ts`);
    return `| \`${name}\` | ${comment} | ${rule.roles.join(', ')} | ${rule.idempotent ? 'yes' : 'no'} | ${deadlineOf(rule)} |`;
  });
  return `## ${service}
${note}
| method | what it does | who may call it | repeated | deadline |
| --- | --- | --- | --- | --- |
${rows.join('\n')}`;
}

function deadlineOf({ deadlineMs }: MethodRule): string {
  return deadlineMs === undefined ? 'none, a stream' : `${deadlineMs / 1_000} s`;
}

/** Every method that proto/muster declares, in the order of the files. */
function declaredMethods(): readonly DeclaredMethod[] {
  const methods: DeclaredMethod[] = [];
  for (const file of globSync('proto/muster/**/*.proto', { cwd: root }).sort()) {
    let [packageName, service, comment] = ['', '', ''];
    for (const line of readFileSync(`${root}${file}`, 'utf8').split('\n')) {
      const [, said] = /^ *\/\/ (.*)$/.exec(line) ?? [];
      packageName = /^package ([\w.]+);/.exec(line)?.[1] ?? packageName;
      service = /^service (\w+)/.exec(line)?.[1] ?? service;
      const [, name] = /^ *rpc (\w+)/.exec(line) ?? [];
      if (name !== undefined) {
        const fullName = `${packageName}.${service}`;
        methods.push({
          path: `/${fullName}/${name}`,
          service: fullName,
          name,
          comment: comment.replaceAll('|', '\\|'),
        });
      }
      comment = said === undefined ? '' : `${comment} ${said}`.trim();
    }
  }
  return methods;
}

/** Puts the tables of the built-in catalogues between their two marks. */
function withTables(page: string): string {
  const [begin, end] = ['<!-- begin of what `npm run docs` writes -->', '<!-- end of what `npm run docs` writes -->'];
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error('docs/catalogue.md has lost a mark');
  return `${before}${begin}\n\n${[...builtInCatalogues].map(describeCatalogue).join('\n\n')}\n\n${end}${after}`;
}

function describeCatalogue([name, text]: [string, string]): string {
  const parsed = parseCatalogue(text, name);
  if (!parsed.ok) throw new Error(`the built-in catalogue ${name} is invalid`);
  const { title, version, applications } = parsed.catalogue;
  return [`### ${name}\n\n${title}, version ${version}.`, ...[...applications.values()].map(describeApplication)].join(
    '\n\n',
  );
}

function describeApplication(application: Application): string {
  const list = (ids: readonly string[]) => ids.map((id) => `\`${id}\``).join(', ');
  const groups = [...application.groups.values()].map((group) => {
    const [, ...below] = groupsServedBy(application, group.id);
    return `| \`${group.id}\` | \`${group.key}\` | ${list(below)} | ${list(group.hostPlatforms)} |`;
  });
  const editions = [...application.editions.values()].map(
    ({ id, group, threshold, initialGraceDays }) => `| \`${id}\` | \`${group}\` | ${threshold} | ${initialGraceDays} |`,
  );
  return `Application \`${application.id}\` (${application.name}): virtual machines count: ${application.countVirtualMachines ? 'yes' : 'no'}; reported count
at most ${countCap(application)}; validity ${application.validityDays} days; renewal interval ${application.renewalIntervalMinutes} minutes; activation interval
${application.activationIntervalMinutes} minutes; grace ${application.graceDays} days; a CMID counts for ${application.countRetentionDays} days; clock skew ${application.clockSkewMinutes} minutes.

| group | key | serves besides itself | may be hosted on |
| --- | --- | --- | --- |
${groups.join('\n')}

| edition | group | threshold | initial grace, days |
| --- | --- | --- | --- |
${editions.join('\n')}`;
}

/** Runs a program in an environment in which nothing depends on this machine; returns what it printed. */
function run(program: string, parameters: readonly string[]): string {
  const environment = { PATH: process.env.PATH, HOME: '~', NO_COLOR: '1' };
  const { status, stdout, stderr, error } = spawnSync(program, parameters, { env: environment, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${parameters.join(' ')} failed: ${error?.message ?? stderr}`);
  return stdout.replace(/gateway-[0-9a-f]{8}\b/g, 'gateway- and 8 random hexadecimal digits');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, text] of pages(readCommands(), readServices())) writeFileSync(`${root}${path}`, text);
}
