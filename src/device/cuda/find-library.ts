/**
 * Libraries of the toolkit that are used where there are any: looked for once, and passed over with the reason where
 * they cannot be opened, or have nothing for the card.
 */
import { DeviceError, LibraryError } from '../../core/errors.js';
import { messageOf } from '../../native/koffi.js';
import { chosenFolderOf, MAJORS, NONE, toolkitCandidates, type OptionalLibrary } from './candidates.js';

/** A library, or why there is none. */
export type LibrarySearch<L> = { readonly library: L } | { readonly reason: string };

/** Versions of CUDA whose library may be taken, the one that is preferred first, and the card's architecture. */
export interface LibraryWanted {
  readonly majors: readonly number[];
  readonly architecture: number;
}

/** How a library is looked for. */
export interface LibrarySearcher<L> {
  readonly library: OptionalLibrary;
  /** Its name, for people. */
  readonly title: string;
  /** What to do where it cannot be opened: a sentence that reasons leave out. */
  readonly remedy: string;
  /** Opens a file. Throws LibraryError, DeviceError. */
  readonly open: (name: string) => L;
  /** Its version, and that of CUDA which it is part of, or the last that it may be part of. */
  readonly versionOf: (library: L) => string;
  readonly cudaOf: (version: string) => readonly [major: number, minor: number];
}

/** The newest architecture that a version of CUDA before 13 has code for: 11.11 is what cuBLAS calls that of 11.8. */
const newestOf = (major: number, minor: number): number => {
  if (major === 11) return minor >= 11 ? 90 : 86;
  return minor >= 8 ? Infinity : 90;
};

/** Why a version has nothing for a card, or is not that of CUDA's; undefined where it has. */
function misfit<L>(
  { title, versionOf, cudaOf }: LibrarySearcher<L>,
  found: L,
  { majors, architecture }: LibraryWanted,
): string | undefined {
  const version = versionOf(found);
  const [major, minor] = cudaOf(version);
  const [least, most] = major >= 13 ? [75, Infinity] : [0, newestOf(major, minor)];
  if (!majors.includes(major)) return `is ${title} ${version}, of CUDA ${major}`;
  if (architecture >= least && architecture <= most) return undefined;
  return `is ${title} ${version}, which has nothing for architecture ${architecture}`;
}

const searched = new Map<string, LibrarySearch<unknown>>();

/** Looks for it, once for each folder that its variable or HMATRIX_CUDA names. */
export function findLibrary<L>(searcher: LibrarySearcher<L>, wanted: LibraryWanted): LibrarySearch<L> {
  const { library } = searcher;
  const chosen = chosenFolderOf(library);
  const key = `${library} ${wanted.majors.join()} ${wanted.architecture} ${chosen ?? ''}`;
  const known = searched.get(key) as LibrarySearch<L> | undefined;
  if (known !== undefined) return known;
  const result =
    chosen === NONE ? { reason: `HMATRIX_${library.toUpperCase()} is "${NONE}"` } : search(searcher, wanted);
  searched.set(key, result);
  return result;
}

function search<L>(searcher: LibrarySearcher<L>, wanted: LibraryWanted): LibrarySearch<L> {
  const { library, remedy, open } = searcher;
  const reasons: string[] = [];
  const names = wanted.majors.flatMap((major) => {
    const known = MAJORS.find((one) => one === major);
    return known === undefined ? [] : toolkitCandidates(library, known);
  });
  for (const name of new Set(names)) {
    try {
      const found = open(name);
      const why = misfit(searcher, found, wanted);
      if (why === undefined) return { library: found };
      reasons.push(`"${name}" ${why}`);
    } catch (error) {
      if (!(error instanceof LibraryError || error instanceof DeviceError)) throw error;
      reasons.push(messageOf(error).replace(`. ${remedy.slice(0, -1)}`, ''));
    }
  }
  const tried = reasons.length > 0 ? ` (${reasons.join('; ')})` : '';
  return { reason: `there is none of CUDA ${wanted.majors.join(' or ')}${tried}` };
}
