/** What children get from our environment. Settings of Muster among it would change a stack unseen. */
const passedOn = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];

/** The environment of a child: the few variables that every program needs, and its own. */
export function environmentWith(own: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const common = passedOn.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(common), ...own };
}
