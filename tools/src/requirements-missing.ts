import type { Requirement } from './requirements.ts';

/** Everything that is missing, in one error, with how to get it. */
export class MissingRequirementsError extends Error {
  override readonly name = 'MissingRequirementsError';
  readonly missing: readonly Requirement[];

  /** @param installFailure why installing it did not help, when that was tried. */
  constructor(missing: readonly Requirement[], installFailure?: string) {
    super(describe(missing, installFailure));
    this.missing = missing;
  }
}

function describe(missing: readonly Requirement[], installFailure: string | undefined): string {
  const packages = missing.map(({ debianPackage }) => debianPackage).join(' ');
  return [
    'This is needed and was not found:',
    ...missing.map(({ title, elsewhere }) => `  ${title}: ${elsewhere}`),
    `On Debian and its relatives: apt-get install ${packages}`,
    ...(installFailure === undefined ? [] : [`Installing it here failed: ${installFailure}`]),
  ].join('\n');
}
