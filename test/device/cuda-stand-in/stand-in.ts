/**
 * What stands for CUDA in tests: libraries with the entry points that are used, made by g++ when they are first needed.
 * Kernels run on this processor. Where there is no g++, tests skip, saying so. What was made is kept by its hash.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { loadKoffi } from '#hmatrix/native/koffi.js';
import { compileOnce } from '../../compile-once.js';

/** What a skipped test says. */
export const NO_COMPILER = 'there is no g++ here, which makes what stands for CUDA (Debian: apt-get install g++)';

const LIBRARIES = {
  'driver.cpp': 'libcuda.so.1',
  'nvrtc.cpp': 'libnvrtc.so.12',
  'cublas.cpp': 'libcublas.so.12',
  // As that of CUDA 12 is called.
  'cusolver.cpp': 'libcusolver.so.11',
} as const;
const SOURCES = [...Object.keys(LIBRARIES), 'prelude.h', 'library.h'].map((name) => join(import.meta.dirname, name));

/** The folder that HMATRIX_CUDA is set to for tests; undefined: there is none. */
export const STAND_IN = compileOnce('hmatrix-stand-in', SOURCES, (compile, folder) => {
  cpSync(join(import.meta.dirname, 'prelude.h'), join(folder, 'prelude.h'));
  for (const [source, library] of Object.entries(LIBRARIES))
    compile(library, join(import.meta.dirname, source), '-ldl');
});
export const hasStandIn = STAND_IN !== undefined;

/** A library of that name made of another source, in a folder of its own below `folder`, beside the driver. */
export function variantOf(folder: string, library: string, source: string, ...options: readonly string[]): string {
  const own = mkdtempSync(join(folder, 'variant-'));
  symlinkSync(join(STAND_IN!, 'libcuda.so.1'), join(own, 'libcuda.so.1'));
  const to = ['-o', join(own, library), source, '-ldl'];
  execFileSync('g++', ['-O0', '-std=c++17', '-shared', '-fPIC', ...options, ...to]);
  return own;
}

/** Lets the tests of a file or a block find what stands for CUDA, and no card that may be there. */
export function useStandIn(): void {
  const before = process.env['HMATRIX_CUDA'];
  beforeAll(() => {
    process.env['HMATRIX_CUDA'] = STAND_IN ?? 'none';
  });
  afterAll(() => {
    if (before === undefined) delete process.env['HMATRIX_CUDA'];
    else process.env['HMATRIX_CUDA'] = before;
  });
}

/** Functions of a stand-in's library, of which it needs one that is open already. */
function control(
  library: string,
): (name: string, result: string, types: readonly string[]) => (...v: unknown[]) => unknown {
  return (name, result, types) =>
    loadKoffi().load(join(STAND_IN!, library)).func(name, result, types) as (...values: unknown[]) => unknown;
}

/** Sets the card's version (12080), architecture (90), memory in bytes, looks until an event passes; and cards. */
export function setCard(key: 'version' | 'architecture' | 'cards' | 'memory' | 'looks', value: number): void {
  control('libcuda.so.1')('standInSet', 'void', ['const char *', 'int64'])(key, value);
}

/** Lets the call of a function fail with a status, after so many that do not. */
export function failAt(name: string, after: number, status: number): void {
  control('libcuda.so.1')('standInFail', 'void', ['const char *', 'int', 'int'])(name, after, status);
}

/** Forgets what was called, and what should fail. */
export const forgetCalls = (): void => {
  control('libcuda.so.1')('standInForget', 'void', [])();
};

/** What was called since: "cuLaunchKernel rows_f64_64_1 12x256". */
export const callsSince = (): string[] =>
  (control('libcuda.so.1')('standInCalls', 'const char *', [])() as string).split('\n').filter((line) => line !== '');

/** Pieces of memory, streams, events, modules and graphs that live. */
export const liveObjects = (): number => Number(control('libcuda.so.1')('standInLive', 'int64', [])());

/** Sets cuBLAS's version. */
export function setCublas(major: number, minor: number): void {
  control('libcublas.so.12')('standInCublas', 'void', ['int', 'int'])(major, minor);
}

/** Handles of cuBLAS that live. */
export const liveHandles = (): number => Number(control('libcublas.so.12')('standInHandles', 'int64', [])());

/** Sets cuSOLVER's version. */
export function setCusolver(major: number, minor: number, patch: number): void {
  control('libcusolver.so.11')('standInCusolver', 'void', ['int', 'int', 'int'])(major, minor, patch);
}

/** Handles and parameters of cuSOLVER that live. */
export const liveSolvers = (): number => Number(control('libcusolver.so.11')('standInSolvers', 'int64', [])());

/** Sets NVRTC's version, and the first architecture that it compiles for. */
export function setCompiler(major: number, minor: number, first: number): void {
  control('libnvrtc.so.12')('standInCompiler', 'void', ['int', 'int', 'int'])(major, minor, first);
}
