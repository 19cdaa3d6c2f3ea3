/**
 * A source as it is worked on: checked, and scaled so that squares of its entries stay within the range. Of several
 * ranks each reads its own part of the diagonal.
 */
import { throwIfAborted } from '../../core/context.js';
import { inLargePages } from '../../dense/large-pages.js';
import { agreedMemory } from '../../distributed/agreed-memory.js';
import { requireAlike } from '../../distributed/alike.js';
import type { Communicator } from '../../distributed/communicator.js';
import { gatherPortions, ownPortion } from '../../distributed/portion.js';
import { together } from '../../distributed/together.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { RUN_NUMBERS, sumRuns, sumsOfRuns, type DiagonalSums } from '../../source/diagonal-sums.js';
import { readDiagonal, runsOf, type Diagonal } from '../../source/diagonal.js';
import { holding, type EntrySource } from '../../source/entry-source.js';
import { scaledSource, unitFactor } from '../../source/unit-source.js';
import { lookedAt, requireEntries, requireSize } from '../../source/validate.js';
import type { Card } from './device/card.js';
import { resolveOptions, type AskedOptions, type CompressOptions } from './options.js';

/** factor·K, its diagonal, and what that tells. */
export interface ScaledEntries {
  readonly source: EntrySource;
  readonly diagonal: Diagonal;
  readonly sums: DiagonalSums;
  readonly factor: number;
  /** Where samples are evaluated and interpolated; undefined: by the team. */
  readonly card?: Card | undefined;
}

/** Entries that ranks compare, in parts of so many. */
const COMPARED = 65_536;
const COMPARED_PART = 256;

/**
 * Options as they were asked for, the memory agreed on, and the entries as they are worked on; `of` names the caller.
 * Collective; throws OptionError, what `validateSource` throws, and CommunicationError where ranks were given different
 * sources or options.
 */
export async function askedEntries(
  source: EntrySource,
  options: CompressOptions,
  of: string,
  { team: { communicator }, signal }: TeamControl,
): Promise<{ readonly asked: AskedOptions; readonly entries: ScaledEntries }> {
  const { asked, diagonal, some } = together(communicator, () => {
    throwIfAborted(signal);
    const asked = resolveOptions(options);
    return { asked, ...lookAtDiagonal(source, communicator) };
  });
  const { memoryLimit, tree, ...alike } = asked;
  // Some are not looked at yet, and may be anything.
  const texts = Object.entries(alike).map(([key, value]) => `${key} ${String(value)}`);
  const { size, points } = source;
  const numbers = { diagonal: some, coordinates: points?.coordinates, tree: tree?.order };
  requireAlike(communicator, of, { options: texts.join(), size: String(size), ...numbers });
  return {
    asked: { ...asked, memoryLimit: agreedMemory(communicator, memoryLimit) },
    entries: await scaledEntries(source, diagonal, asked.seed, communicator),
  };
}

/** A source's diagonal, and of several ranks some of its entries, by which these compare it. Throws ShapeError. */
function lookAtDiagonal(
  source: EntrySource,
  communicator: Communicator,
): { readonly diagonal: Diagonal; readonly some: Float64Array } {
  requireSize(source);
  const diagonal = readStored(source);
  const { size } = source;
  if (communicator.size === 1) return { diagonal, some: new Float64Array(0) };
  if (size <= COMPARED) return { diagonal, some: diagonal.part(0, size) };
  const some = new Float64Array(COMPARED);
  for (let at = 0; at < COMPARED; at += COMPARED_PART) {
    const first = Math.floor((at / COMPARED) * size);
    some.set(diagonal.part(first, first + COMPARED_PART), at);
  }
  return { diagonal, some };
}

const readStored = (source: EntrySource): Diagonal =>
  readDiagonal(source, (size) => inLargePages(new Float64Array(size)));

/**
 * The entries of a source with that diagonal as they are worked on. Collective; throws what `validateSource` throws.
 */
async function scaledEntries(
  source: EntrySource,
  diagonal: Diagonal,
  seed: number,
  communicator: Communicator,
): Promise<ScaledEntries> {
  const sums = sumTogether(diagonal, communicator);
  const looked = await holding(source, () => lookedAt(source.size, seed));
  together(communicator, () => {
    requireEntries(looked, seed, diagonal, sums);
    source.parts?.letGo();
  });
  // What is decided by squares is decided on a matrix whose squares stay in range; what is stored is K's own.
  const factor = unitFactor(sums.largest);
  if (factor === 1) return { source, diagonal, sums, factor };
  const scaled = scaledSource(source, factor);
  const own = together(communicator, () => readStored(scaled));
  return { source: scaled, diagonal: own, sums: sumTogether(own, communicator), factor };
}

/** What a diagonal tells, each rank making the sums of its own runs. Collective: one gathering of six numbers a run. */
function sumTogether(diagonal: Diagonal, communicator: Communicator): DiagonalSums {
  const runs = runsOf(diagonal.size);
  const { first, end } = ownPortion(communicator, runs);
  const numbers = together(communicator, () => sumRuns(diagonal, first, end));
  const endOf = (run: number): number => RUN_NUMBERS * (run + 1);
  gatherPortions(communicator, numbers, runs, { begin: 0, endOf });
  return sumsOfRuns(numbers);
}
