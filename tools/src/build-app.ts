import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/**
 * Bundles the app of the current directory into `dist/bundle`: one file with all of Muster's own code, the files that
 * it reads beside it, and its dependencies left to npm. Run by each app's `build` script.
 */
const app = process.cwd();
const bundle = join(app, 'dist', 'bundle');
const manifest = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8')) as { name: string; version: string };

rmSync(bundle, { recursive: true, force: true });
await build({
  entryPoints: [join(app, 'src', 'main.ts')],
  outfile: join(bundle, 'bin', 'main.js'),
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  sourcemap: 'linked',
  plugins: [
    {
      // Only the workspace's packages go into the bundle.
      name: 'npm-packages-stay-outside',
      setup: (builder) => {
        builder.onResolve({ filter: /^[^./]/ }, ({ path }) =>
          path.startsWith('@muster/') ? undefined : { path, external: true },
        );
      },
    },
  ],
});
const { name, version } = manifest;
writeFileSync(join(bundle, 'package.json'), `${JSON.stringify({ name, version, type: 'module' }, null, 2)}\n`);
for (const part of ['demo']) {
  if (existsSync(join(app, part))) cpSync(join(app, part), join(bundle, part), { recursive: true });
}
for (const owner of ['counting', 'licensing-policy', 'vendor-authority']) {
  const uses = owner === manifest.name.replace('@muster/', '') || manifest.name === '@muster/muster';
  if (uses) cpSync(join(app, '..', owner, 'migrations'), join(bundle, 'migrations'), { recursive: true });
}
// A bundle that cannot even say what it is would be found out in production.
execFileSync(process.execPath, [join(bundle, 'bin', 'main.js'), '--help'], { stdio: 'ignore' });
