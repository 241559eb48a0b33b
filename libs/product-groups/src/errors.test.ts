import { describe, expect, it } from 'vitest';
import { describeCode, MusterError } from './errors.ts';
import { applicationId, isIdentifier } from './identifiers.ts';
import { localErrorCodes } from './local-error-codes.ts';
import { resultCodes } from './result-codes.ts';

describe('the table of codes', () => {
  it.each(Object.entries({ ...resultCodes, ...localErrorCodes }))(
    '%s has one meaning, cause and remedy',
    (_, entry) => {
      for (const sentence of [entry.meaning, entry.cause, entry.remedy]) expect(sentence).toMatch(/^[A-Z].*[^.]\.$/);
    },
  );

  it('has the familiar codes of DESIGN 2.4', () => {
    const familiar = Object.entries(resultCodes).flatMap(([code, entry]) =>
      entry.familiar === undefined ? [] : [`${code} ${entry.familiar}`],
    );
    expect(familiar).toEqual([
      'COUNT_INSUFFICIENT 0xC004F038',
      'PRODUCT_NOT_COVERED 0xC004F042',
      'HOST_NOT_ACTIVATED 0xC004F041',
      'CLOCK_SKEW 0xC004F06C',
      'NO_HOST_FOUND 0xC004F074',
      'HOST_UNREACHABLE 0xC004F074',
      'KEY_INVALID 0xC004F035',
      'KEY_WRONG_HOST_PLATFORM 0xC004F035',
      'KEY_HOST_LIMIT 0xC004C008',
      'KEY_ACTIVATION_LIMIT 0xC004C008',
      'MAK_EXHAUSTED 0xC004C020',
      'CONFIRMATION_INVALID 0xC004F02C',
      'HARDWARE_CHANGED 0xC004F00F',
    ]);
  });

  it('gives every code only one place', () => {
    expect(Object.keys(resultCodes).filter((code) => code in localErrorCodes)).toEqual([]);
  });
});

describe('an error', () => {
  it('carries its code, message, remedy and cause', () => {
    const cause = new Error('EADDRINUSE');
    const error = new MusterError({ code: 'PORT_IN_USE', message: 'Port 1688 is taken.', remedy: 'Free it.', cause });
    expect(error).toMatchObject({ name: 'MusterError', code: 'PORT_IN_USE', message: 'Port 1688 is taken.', cause });
    expect(error.remedy).toBe('Free it.');
  });

  it('takes the remedy of its code where it is given none', () => {
    const error = new MusterError({ code: 'NOT_RUNNING', message: 'Nothing runs.' });
    expect(error.remedy).toBe(describeCode('NOT_RUNNING').remedy);
    expect('cause' in error).toBe(false);
  });
});

describe('an identifier', () => {
  it.each(['a', '7', 'server-2008-itanium', 'x'.repeat(64)])('may be %s', (text) => {
    expect(isIdentifier(text)).toBe(true);
    expect(applicationId(text)).toBe(text);
  });
  it.each(['', '-a', 'A', 'a b', 'a_b', 'é', 'a\n', 'x'.repeat(65)])('may not be %j', (text) => {
    expect(isIdentifier(text)).toBe(false);
    expect(() => applicationId(text)).toThrow(MusterError);
  });
});
