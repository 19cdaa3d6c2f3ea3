/**
 * OpenBLAS on a processor that it does not know.
 * It chooses its kernels by the processor's model; one that appeared after the release gets kernels of 2004, three to
 * five times slower than those its instructions allow. OPENBLAS_CORETYPE names others, and is read when the library is
 * loaded: it is loaded again with the kernels of the widest vectors that the processor has. Not where the user set the
 * variable, nor on libraries that are not OpenBLAS or that name no core.
 */
import { BlasLibrary } from './library.js';
import { processorFlags } from '../processor.js';
import { withEnvironment, withoutThreadsAtLoad } from './vendor.js';

const VARIABLE = 'OPENBLAS_CORETYPE';

/** Kernels without AVX: what an unknown processor gets. */
const OLD_CORES: ReadonlySet<string> = new Set([
  'generic',
  'katmai',
  'coppermine',
  'northwood',
  'prescott',
  'banias',
  'core2',
  'penryn',
  'dunnington',
  'nehalem',
  'athlon',
  'opteron',
  'opteron_sse3',
  'barcelona',
]);

/** The processor that OpenBLAS took its kernels for ("Haswell"); undefined where the library does not say. */
export const coreName = (library: BlasLibrary): string | undefined =>
  library.find('openblas_get_corename', 'const char *', [])?.() as unknown as string | undefined;

/**
 * The core to ask for instead of the one reported, if any: `flags` are the processor's as Linux names them, `chosen`
 * what the user's OPENBLAS_CORETYPE says.
 */
export function betterCore(
  reported: string | undefined,
  flags: ReadonlySet<string>,
  chosen: string | undefined,
): 'SkylakeX' | 'Haswell' | undefined {
  if (reported === undefined || (chosen !== undefined && chosen !== '') || !OLD_CORES.has(reported.toLowerCase()))
    return undefined;
  const has = (...names: string[]): boolean => names.every((name) => flags.has(name));
  if (!has('avx2', 'fma')) return undefined;
  return has('avx512f', 'avx512bw', 'avx512dq', 'avx512vl') ? 'SkylakeX' : 'Haswell';
}

/** What OpenBLAS took by itself, where another core was chosen for it. */
let replaced: { readonly by: string; readonly core: string } | undefined;

/**
 * Opens the libraries; an OpenBLAS that misjudges the processor a second time. The variable must stand in the
 * environment of the process, which only the main thread's process.env is: elsewhere nothing changes, unless that
 * thread opened the library first, as a team's does.
 */
export function loadLibrary(names: readonly string[]): BlasLibrary {
  const open = (): BlasLibrary => withoutThreadsAtLoad(() => new BlasLibrary(names));
  const library = open();
  const core = coreName(library);
  const better =
    core === undefined || !OLD_CORES.has(core.toLowerCase())
      ? undefined
      : betterCore(core, processorFlags(), process.env[VARIABLE]);
  if (core === undefined || better === undefined) return library;
  library.unload();
  const again = withEnvironment(VARIABLE, better, open);
  const now = coreName(again);
  if (now !== undefined && now !== core) replaced = { by: now, core };
  return again;
}

/** The core in use: "Zen", or "SkylakeX, chosen over Prescott". */
export function describeCore(library: BlasLibrary): string | undefined {
  const core = coreName(library);
  return core !== undefined && core === replaced?.by ? `${core}, chosen over ${replaced.core}` : core;
}
