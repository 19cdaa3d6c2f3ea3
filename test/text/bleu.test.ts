import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { bleu } from '#hmatrix/text/bleu.js';
import { tokenAccuracy } from '#hmatrix/text/token-accuracy.js';

const near = (found: number, wanted: number): void => {
  expect(Math.abs(found - wanted)).toBeLessThanOrEqual(16 * Number.EPSILON * Math.max(1, Math.abs(wanted)));
};

const sentence = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 4, maxLength: 9 })
  .map((words) => words.join(' '));

describe('BLEU', () => {
  it('counts a word at most as often as a reference has it (Papineni et al., example 2)', () => {
    const references = [['the cat is on the mat', 'there is a cat on the mat']];
    const { precisions, candidateLength, referenceLength, brevityPenalty } = bleu(
      ['the the the the the the the'],
      references,
      { order: 1 },
    );
    expect(precisions).toEqual([2 / 7]);
    // Seven words; the nearest reference has seven.
    expect([candidateLength, referenceLength, brevityPenalty]).toEqual([7, 7, 1]);
  });

  it('has the precisions of the examples of Papineni et al., section 2.1', () => {
    const references = [
      'It is a guide to action that ensures that the military will forever heed Party commands',
      'It is the guiding principle which guarantees the military forces always being under the command of the Party',
      'It is the practical guide for the army always to heed the directions of the party',
    ];
    const [first, second] = [
      'It is a guide to action which ensures that the military always obeys the commands of the party',
      'It is to insure the troops forever hearing the activity guidebook that party direct',
    ];
    const of = (text: string): readonly number[] =>
      bleu([text], [references], { lowercase: true, order: 2 }).precisions;
    expect(of(first)).toEqual([17 / 18, 10 / 17]);
    expect(of(second)).toEqual([8 / 14, 1 / 13]);
  });

  it('is the geometric mean of the corpus, shortened candidates punished, by hand', () => {
    // 1-grams: 4 of 5 and 3 of 3; 2-grams: 2 of 4 and 2 of 2; 3-grams: 1 of 3 and 1 of 1; 4-grams: 0 of 2 and none.
    const candidates = ['a b c x d', 'e f g'];
    const references = ['a b c d', 'e f g h i j'];
    const plain = bleu(candidates, references);
    expect(plain.precisions).toEqual([7 / 8, 4 / 6, 2 / 4, 0]);
    expect(plain.score).toBe(0);
    expect([plain.candidateLength, plain.referenceLength]).toEqual([8, 10]);
    near(plain.brevityPenalty, Math.exp(1 - 10 / 8));
    near(bleu(candidates, references, { order: 3 }).score, Math.exp(-0.25) * Math.cbrt((7 / 8) * (4 / 6) * (2 / 4)));
    const one = bleu(candidates, references, { smoothing: 'add-one' });
    expect(one.precisions).toEqual([7 / 8, 5 / 7, 3 / 5, 1 / 3]);
    near(one.score, Math.exp(-0.25) * ((7 / 8) * (5 / 7) * (3 / 5) * (1 / 3)) ** 0.25);
    const exp = bleu(candidates, references, { smoothing: 'exp' });
    expect(exp.precisions).toEqual([7 / 8, 4 / 6, 2 / 4, 1 / 4]);
    near(exp.score, Math.exp(-0.25) * ((7 / 8) * (4 / 6) * (2 / 4) * (1 / 4)) ** 0.25);
    // No match at all: the zeros are halved one after the other.
    expect(bleu(['a b c d e'], ['v w x y z'], { smoothing: 'exp' }).precisions).toEqual([
      1 / (2 * 5),
      1 / (4 * 4),
      1 / (8 * 3),
      1 / (16 * 2),
    ]);
  });

  it('takes the nearest reference for its length, the shorter one of two', () => {
    const { referenceLength } = bleu(['a b c d'], [['a b c d e', 'a b c', 'a']]);
    expect(referenceLength).toBe(3);
  });

  it('is 1 for the reference itself, lies in [0, 1], knows no order of the corpus, rises with references', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(sentence, sentence, sentence), { minLength: 1, maxLength: 5 }),
        fc.constantFrom('none' as const, 'add-one' as const, 'exp' as const),
        (corpus, smoothing) => {
          const candidates = corpus.map(([text]) => text);
          const references = corpus.map(([, text]) => text);
          expect(bleu(candidates, candidates, { smoothing }).score).toBe(1);
          const { score, precisions } = bleu(candidates, references, { smoothing });
          expect(score).toBeGreaterThanOrEqual(0);
          expect(score).toBeLessThanOrEqual(1);
          const turned = bleu([...candidates].reverse(), [...references].reverse(), { smoothing });
          expect(turned.score).toBe(score);
          const more = bleu(
            candidates,
            corpus.map(([, a, b]) => [a, b]),
            { smoothing: 'none' },
          );
          const fewer = bleu(candidates, references);
          more.precisions.forEach((p, k) => {
            expect(p).toBeGreaterThanOrEqual(fewer.precisions[k]);
          });
          expect(precisions).toHaveLength(4);
        },
      ),
    );
  });

  it('takes words as they are cut, punctuation alone, capital letters apart or not', () => {
    expect(bleu(['Hello, world!'], ['Hello , world !']).score).toBe(1);
    expect(bleu(['Hello'], ['hello'], { order: 1 }).score).toBe(0);
    expect(bleu(['Hello'], ['hello'], { order: 1, lowercase: true }).score).toBe(1);
    expect(bleu(['ab'], ['ba'], { order: 1, split: (text) => [...text] }).score).toBe(1);
    expect(bleu(['', 'a b c d'], ['', 'a b c d']).score).toBe(1);
    expect(bleu([''], ['a b']).score).toBe(0);
  });

  it('of other numbers of texts, or of none, is refused', () => {
    expect(() => bleu(['a'], [])).toThrow(ShapeError);
    expect(() => bleu([], [])).toThrow(ShapeError);
    expect(() => bleu(['a'], [[]])).toThrow(/Candidate 0 has no reference/);
    expect(() => bleu([3 as never], ['a'])).toThrow(/Candidate 0 of bleu must be a text, not 3/);
    expect(() => bleu(['a'], [[3 as never]])).toThrow(OptionError);
    expect(() => bleu('a' as never, 'b' as never)).toThrow(ShapeError);
    expect(() => bleu(['a'], ['a'], { smoothing: 'add-two' as never })).toThrow(OptionError);
  });
});

describe('the accuracy of tokens', () => {
  it('is the share of those that are no padding', () => {
    expect(tokenAccuracy([4, 5, 6, 9, 9], [4, 5, 7, 0, 0], 0)).toBe(2 / 3);
    expect(tokenAccuracy([0, 0], [5, 0], 0)).toBe(0);
    expect(() => tokenAccuracy([1], [1, 2], 0)).toThrow(ShapeError);
    expect(() => tokenAccuracy([1], [0], 0)).toThrow(OptionError);
  });
});
