/**
 * Libraries of the toolkit that are used where there are any: looked for once, and passed over with the reason where
 * they cannot be opened, or have nothing for the card. What is opened and not taken is released.
 */
import { DeviceError, LibraryError } from '../../core/errors.js';
import { messageOf } from '../../native/koffi.js';
import { NativeLibrary } from '../../native/library.js';
import { chosenFolderOf, MAJORS, NONE, toolkitCandidates, type OptionalLibrary } from './candidates.js';
import { WITHOUT } from './driver.js';

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
  /** Finds what is used of an open file. Throws LibraryError, DeviceError. */
  readonly bind: (file: NativeLibrary) => L;
  /** Its version, and that of CUDA which it is part of, or the last that it may be part of. */
  readonly versionOf: (library: L) => string;
  readonly cudaOf: (version: string) => readonly [major: number, minor: number];
}

/** The newest architecture that a version of CUDA before 13 has code for: 11.11 is what cuBLAS calls that of 11.8. */
const newestOf = (major: number, minor: number): number => {
  if (major === 11) return minor >= 11 ? 90 : 86;
  return minor >= 8 ? Infinity : 90;
};

/** Which of the versions of CUDA it is of, 0 the one that is preferred, or why it has nothing for the card. */
function rankOf<L>(
  { title, versionOf, cudaOf }: LibrarySearcher<L>,
  found: L,
  { majors, architecture }: LibraryWanted,
): number | string {
  const version = versionOf(found);
  const [major, minor] = cudaOf(version);
  const [least, most] = major >= 13 ? [75, Infinity] : [0, newestOf(major, minor)];
  if (!majors.includes(major)) return `is ${title} ${version}, of CUDA ${major}`;
  if (architecture >= least && architecture <= most) return majors.indexOf(major);
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

/** Versions of one name may be of several versions of CUDA: all are looked at until one is of the preferred. */
function search<L>(searcher: LibrarySearcher<L>, wanted: LibraryWanted): LibrarySearch<L> {
  const { library, remedy, bind } = searcher;
  const reasons: string[] = [];
  const names = wanted.majors.flatMap((major) => {
    const known = MAJORS.find((one) => one === major);
    return known === undefined ? [] : toolkitCandidates(library, known);
  });
  let best: { readonly file: NativeLibrary; readonly library: L; readonly rank: number } | undefined;
  for (const name of new Set(names)) {
    let file: NativeLibrary | undefined;
    try {
      file = new NativeLibrary([name], { remedy, without: WITHOUT });
      const found = bind(file);
      const rank = rankOf(searcher, found, wanted);
      if (typeof rank === 'string') reasons.push(`"${name}" ${rank}`);
      else if (rank < (best?.rank ?? Infinity)) {
        const before = best?.file;
        best = { file, library: found, rank };
        file = before;
      }
    } catch (error) {
      if (!(error instanceof LibraryError || error instanceof DeviceError)) throw error;
      reasons.push(messageOf(error).replace(`. ${remedy.slice(0, -1)}`, ''));
    } finally {
      file?.unload();
    }
    if (best?.rank === 0) break;
  }
  if (best !== undefined) return { library: best.library };
  const tried = reasons.length > 0 ? ` (${reasons.join('; ')})` : '';
  return { reason: `there is none of CUDA ${wanted.majors.join(' or ')}${tried}` };
}
