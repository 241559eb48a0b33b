import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { type ErrorCode, MusterError } from '@muster/product-groups';
import { describe, expect, test } from 'vitest';
import { fromStatus, toStatus } from './grpc-status.ts';

function failed(code: status, details: string, metadata = new Metadata()): ServiceError {
  return Object.assign(new Error(`${code} ${status[code]}: ${details}`), { code, details, metadata });
}

describe('a status that no service of Muster gave is told in plain words:', () => {
  test.each<[status, string, ErrorCode, string]>([
    [
      status.DEADLINE_EXCEEDED,
      'Deadline exceeded after 4.9s',
      'UNAVAILABLE',
      'The service did not answer within 5 seconds.',
    ],
    [
      status.UNAVAILABLE,
      'round_robin: No connection established. Last error: No connection established. ' +
        'Last error: Error: connect ECONNREFUSED 10.0.0.1:7101. Resolution note: ',
      'UNAVAILABLE',
      'The service cannot be reached: connect ECONNREFUSED 10.0.0.1:7101.',
    ],
    [status.UNAVAILABLE, 'Connection dropped', 'UNAVAILABLE', 'The service cannot be reached: Connection dropped.'],
    [status.UNAVAILABLE, '', 'UNAVAILABLE', 'The service cannot be reached.'],
    [status.CANCELLED, 'Call cancelled', 'UNAVAILABLE', 'The call was broken off before it was answered.'],
    [
      status.UNIMPLEMENTED,
      'The server does not implement the method /a/b',
      'UNAVAILABLE',
      'The service does not know this call: it is of another release.',
    ],
    [status.INTERNAL, 'The service failed.', 'UNAVAILABLE', 'The service failed while it answered.'],
    [status.UNKNOWN, 'Application error', 'UNAVAILABLE', 'The service failed while it answered.'],
    [
      status.PERMISSION_DENIED,
      'RBAC: access denied',
      'NOT_AUTHORISED',
      'The service refuses this caller: RBAC: access denied.',
    ],
    [status.UNAUTHENTICATED, 'who are you?', 'NOT_AUTHORISED', 'The service refuses this caller: who are you?'],
    [
      status.RESOURCE_EXHAUSTED,
      'Received message larger than max (2000000 vs 1048576)',
      'INPUT_INVALID',
      'The message is larger than services take from each other, which is 1 MiB.',
    ],
    [
      status.RESOURCE_EXHAUSTED,
      'Bandwidth exhausted or memory limit exceeded.',
      'RATE_LIMITED',
      'The service has too much to do: Bandwidth exhausted or memory limit exceeded.',
    ],
    [status.ABORTED, 'odd', 'UNAVAILABLE', 'The service did not answer: odd.'],
  ])('%i %j', (code, details, expected, message) => {
    const cause = failed(code, details);
    const error = fromStatus(cause, 5_000);
    expect(error).toMatchObject({ code: expected, message, cause });
    expect(error.remedy).toMatch(/^[A-Z].*\.$/);
  });

  test('a stream has no time limit to tell of', () => {
    const error = fromStatus(failed(status.DEADLINE_EXCEEDED, 'late'));
    expect(error.message).toBe('The service did not answer in time.');
  });

  test('an error of this side, where there is no status', () => {
    expect(fromStatus(new Error('the source broke.')).message).toBe('The service did not answer: the source broke.');
  });
});

describe('an error of Muster crosses as it is', () => {
  test.each<ErrorCode>(['UNAVAILABLE', 'RATE_LIMITED', 'NOT_AUTHORISED', 'INPUT_INVALID', 'KEY_INVALID'])(
    '%s',
    (code) => {
      const sent = toStatus(new MusterError({ code, message: 'Größe.', remedy: 'Prüfen.' })) as ServiceError;
      expect(fromStatus(sent)).toMatchObject({ code, message: 'Größe.', remedy: 'Prüfen.' });
    },
  );

  test('with a code of a newer release as well', () => {
    const metadata = new Metadata();
    metadata.set('muster-code', 'OF_TOMORROW');
    const error = fromStatus(failed(status.FAILED_PRECONDITION, 'It is new.', metadata));
    expect(error).toMatchObject({ code: 'OF_TOMORROW', message: 'It is new.', remedy: '' });
  });

  test('and any other tells nothing of the inside', () => {
    const sent = toStatus(new Error('password of the database'));
    expect(sent).toMatchObject({ code: status.INTERNAL, message: 'The service failed.' });
    expect(JSON.stringify(sent.metadata?.getMap())).toBe('{}');
  });
});
