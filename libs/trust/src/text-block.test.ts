import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeTextBlock, encodeTextBlock, mostBlockBytes } from './text-block.ts';

const title = 'MUSTER ACTIVATION REQUEST';
const content = fc.uint8Array({ maxLength: 300 });
const plain = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('a text block', () => {
  test('looks like this', () => {
    expect(encodeTextBlock(title, new TextEncoder().encode('Muster, twenty-five of them!'))).toMatchInlineSnapshot(`
      "MUSTER ACTIVATION REQUEST
      01  00E4T XBKEH JQ4B1 0EHVP AVKMF  NY
      02  4PPCT BPCMG 6YSH0 EHM6A V9100  AB
      END 6BGN8
      "
    `);
  });

  test('is read back, whatever its bytes', () => {
    fc.assert(
      fc.property(content, (bytes) => {
        expect(plain(decodeTextBlock(title, encodeTextBlock(title, bytes)))).toBe(plain(bytes));
      }),
    );
  });

  test('holds as many bytes as two digits can number, and no more', () => {
    const most = new Uint8Array(mostBlockBytes).fill(255);
    expect(plain(decodeTextBlock(title, encodeTextBlock(title, most)))).toBe(plain(most));
    expect(() => encodeTextBlock(title, new Uint8Array(mostBlockBytes + 1))).toThrow();
  });

  test('is read out of a letter, in small letters, with other spaces and line ends', () => {
    fc.assert(
      fc.property(content, (bytes) => {
        const block = encodeTextBlock(title, bytes).toLowerCase().replaceAll('0', 'o').replaceAll('1', 'l');
        const numbered = block.replaceAll(/^[ol\d]{2} /gm, (number) =>
          number.replaceAll('o', '0').replaceAll('l', '1'),
        );
        const letter = `Dear vendor,\r\n\r\n> ${numbered.trim().split('\n').join(' \r\n   ')}\r\n\r\nYours`;
        expect(plain(decodeTextBlock(title, letter.replace('> ', '')))).toBe(plain(bytes));
      }),
    );
  });
});

describe('a slip is found in its line', () => {
  const block = encodeTextBlock(
    title,
    new Uint8Array(100).map((_, index) => index * 7),
  );
  const lines = block.trim().split('\n');
  const refused = (text: string, message: string) =>
    expect(() => decodeTextBlock(title, text)).toThrow(
      expect.objectContaining({ code: 'DOCUMENT_INVALID', message: expect.stringContaining(message) }),
    );

  test('every single wrong character of every line', () => {
    for (const [number, line] of lines.entries()) {
      if (number === 0 || number === lines.length - 1) continue;
      for (let position = 4; position < line.length; position += 1) {
        if (line.charAt(position) === ' ') continue;
        const wrong = line.charAt(position) === 'Z' ? '9' : 'Z';
        const changed = line.slice(0, position) + wrong + line.slice(position + 1);
        refused(lines.with(number, changed).join('\n'), `line ${number} has a slip`);
      }
    }
  });

  test('a missing line, a short line, two lines under the wrong numbers, no end, another end', () => {
    refused(lines.toSpliced(2, 1).join('\n'), 'line 2 is missing');
    refused(lines.with(3, lines[3]?.slice(0, -1) ?? '').join('\n'), 'line 3 has 26 characters, and a line has 27');
    const swapped = lines.with(1, `01${lines[2]?.slice(2)}`).with(2, `02${lines[1]?.slice(2)}`);
    refused(swapped.join('\n'), 'line 1 has a slip; line 2 has a slip');
    refused(lines.slice(0, -1).join('\n'), 'which begins with END, is missing');
    refused(lines.toSpliced(-2, 1).join('\n'), 'lines at its end are missing');
    refused(lines.with(-1, 'END 00000').join('\n'), 'the checksum after END does not fit');
    refused(lines.slice(1).join('\n'), `it does not begin with the line ${title}`);
    refused(encodeTextBlock('MUSTER ACTIVATION CONFIRMATION', new Uint8Array(9)), 'it does not begin with the line');
  });

  test('whatever is given, the answer is bytes or DOCUMENT_INVALID', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.nat(block.length), (noise, at) => {
        try {
          decodeTextBlock(title, block.slice(0, at) + noise + block.slice(at));
        } catch (error) {
          expect(error).toMatchObject({ code: 'DOCUMENT_INVALID' });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
