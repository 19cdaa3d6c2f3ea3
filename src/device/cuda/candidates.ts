/**
 * Where the libraries of CUDA are looked for.
 *
 * The driver's is the system's own. Those of the toolkit come, in this order, from where the system looks (Debian's
 * packages, `ldconfig`, LD_LIBRARY_PATH), a toolkit (CUDA_HOME, CUDA_PATH, /usr/local/cuda), conda, and the packages of
 * pip (nvidia-cuda-nvrtc, nvidia-cublas, nvidia-cusolver and those with -cu12, -cu11), which PyTorch brings along: of
 * the environment that is active, of the Pythons that PATH finds, and of the user. Where HMATRIX_CUDA names a folder,
 * that one is looked in alone, and first for the driver; where HMATRIX_CUBLAS or HMATRIX_CUSOLVER names one, that one
 * alone for that library.
 */
import { environmentVariable, PLATFORM } from '../../core/environment.js';
import { pathsOf, prefixesOf } from '../../io/paths.js';

/** The versions of CUDA whose libraries are known, the newest first. */
export const MAJORS = [13, 12, 11] as const;
/** One of them. */
export type Major = (typeof MAJORS)[number];

/** A library of the toolkit. */
export type ToolkitLibrary = 'nvrtc' | OptionalLibrary;
/** Those that are used where there are any. */
export const OPTIONAL = ['cublas', 'cusolver'] as const;
/** One of them. */
export type OptionalLibrary = (typeof OPTIONAL)[number];

/** Names of files on Linux, and on Windows. */
const FILES: Readonly<Record<ToolkitLibrary, Readonly<Record<Major, readonly [linux: string, windows: string]>>>> = {
  nvrtc: {
    13: ['libnvrtc.so.13', 'nvrtc64_130_0.dll'],
    12: ['libnvrtc.so.12', 'nvrtc64_120_0.dll'],
    11: ['libnvrtc.so.11.2', 'nvrtc64_112_0.dll'],
  },
  cublas: {
    13: ['libcublas.so.13', 'cublas64_13.dll'],
    12: ['libcublas.so.12', 'cublas64_12.dll'],
    11: ['libcublas.so.11', 'cublas64_11.dll'],
  },
  // That of CUDA 12 is called 11, too.
  cusolver: {
    13: ['libcusolver.so.12', 'cusolver64_12.dll'],
    12: ['libcusolver.so.11', 'cusolver64_11.dll'],
    11: ['libcusolver.so.11', 'cusolver64_11.dll'],
  },
};

/** The folder that pip's packages of a library lie in, below site-packages. */
const PIP_FOLDERS: Readonly<Record<ToolkitLibrary, Readonly<Record<Major, string>>>> = {
  nvrtc: { 13: 'nvidia/cu13/lib', 12: 'nvidia/cuda_nvrtc/lib', 11: 'nvidia/cuda_nvrtc/lib' },
  cublas: { 13: 'nvidia/cu13/lib', 12: 'nvidia/cublas/lib', 11: 'nvidia/cublas/lib' },
  cusolver: { 13: 'nvidia/cu13/lib', 12: 'nvidia/cusolver/lib', 11: 'nvidia/cusolver/lib' },
};

const variables = (...names: readonly string[]): string[] =>
  names.map(environmentVariable).filter((value) => value !== undefined && value !== '') as string[];

/** The folder that HMATRIX_CUDA names, undefined where it is not set. */
export const chosenFolder = (): string | undefined => variables('HMATRIX_CUDA')[0];

/** The value of HMATRIX_CUDA that leaves cards alone, and of HMATRIX_CUBLAS and _CUSOLVER that leaves these alone. */
export const NONE = 'none';

/** The folder that a library is looked for in alone, or "none"; undefined where none is named. */
export const chosenFolderOf = (library: ToolkitLibrary): string | undefined =>
  (library === 'nvrtc' ? undefined : variables(`HMATRIX_${library.toUpperCase()}`)[0]) ?? chosenFolder();

/** Folders of a toolkit that libraries may lie in. */
const foldersOf = (root: string): string[] =>
  PLATFORM === 'win32'
    ? [root, `${root}/bin`, `${root}/bin/x64`]
    : [root, `${root}/lib64`, `${root}/lib`, `${root}/targets/x86_64-linux/lib`, `${root}/targets/sbsa-linux/lib`];

/** The files of the driver's library, in the order they are tried in. */
export function driverCandidates(): string[] {
  const chosen = chosenFolder();
  const name = PLATFORM === 'win32' ? 'nvcuda.dll' : 'libcuda.so.1';
  const own = chosen === undefined ? [] : foldersOf(chosen).flatMap((folder) => pathsOf(`${folder}/${name}`));
  // WSL's, and where container runtimes put it.
  const others = ['/usr/lib/wsl/lib', '/usr/local/nvidia/lib64', '/usr/local/nvidia/lib'];
  return [...own, name, ...others.flatMap((folder) => pathsOf(`${folder}/${name}`))];
}

/** The files of a library of that version, in the order they are tried in; those without a path the system finds. */
export function toolkitCandidates(library: ToolkitLibrary, major: Major): string[] {
  const windows = PLATFORM === 'win32';
  const name = FILES[library][major][windows ? 1 : 0];
  const within = (folders: readonly string[]): string[] => folders.flatMap((folder) => pathsOf(`${folder}/${name}`));
  const chosen = chosenFolderOf(library);
  if (chosen !== undefined) return within(foldersOf(chosen));
  const toolkits = [...variables('CUDA_HOME', 'CUDA_PATH'), ...(windows ? [] : ['/usr/local/cuda'])];
  const conda = variables('CONDA_PREFIX').flatMap((root) => (windows ? [`${root}/Library/bin`] : [`${root}/lib`]));
  const prefixes = [
    ...variables('VIRTUAL_ENV', 'CONDA_PREFIX'),
    ...prefixesOf(environmentVariable('PATH') ?? ''),
    ...variables('HOME').map((home) => `${home}/.local`),
  ];
  const pip = prefixes.flatMap((root) =>
    windows
      ? [`${root}/Lib/site-packages`]
      : [`${root}/lib/python3*/site-packages`, `${root}/lib/python3*/dist-packages`],
  );
  const found = within([
    ...toolkits.flatMap(foldersOf),
    ...(windows ? [] : [`/usr/local/cuda-${major}*/lib64`]),
    ...conda,
    ...pip.map((folder) => `${folder}/${PIP_FOLDERS[library][major]}`),
  ]);
  return [...new Set([name, ...found])];
}
