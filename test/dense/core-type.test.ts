/**
 * Which kernels OpenBLAS is asked for, and by whom.
 */
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { betterCore, coreName, loadLibrary } from '#hmatrix/dense/system/core-type.js';
import { processorFlags } from '#hmatrix/dense/processor.js';

const avx2 = new Set(['sse2', 'avx', 'avx2', 'fma']);
const avx512 = new Set([...avx2, 'avx512f', 'avx512bw', 'avx512dq', 'avx512vl']);

describe('the decision', () => {
  it('kernels_without_avx_are_replaced_by_those_of_the_widest_vectors', () => {
    for (const core of ['Prescott', 'prescott', 'Nehalem', 'Core2', 'Barcelona', 'Generic']) {
      expect(betterCore(core, avx512, undefined)).toBe('SkylakeX');
      expect(betterCore(core, avx2, undefined)).toBe('Haswell');
    }
    // Vectors of 512 bits without the extensions that the kernels need (Knights Landing).
    expect(betterCore('Prescott', new Set([...avx2, 'avx512f']), undefined)).toBe('Haswell');
  });

  it('a_core_that_uses_the_processor_is_kept', () => {
    for (const core of [
      'Haswell',
      'Zen',
      'SkylakeX',
      'Cooperlake',
      'Sapphirerapids',
      'Sandybridge',
      'armv8',
      'neoversen1',
    ])
      expect(betterCore(core, avx512, undefined)).toBeUndefined();
  });

  it('the_users_choice_is_never_overridden', () => {
    expect(betterCore('Prescott', avx512, 'Prescott')).toBeUndefined();
    expect(betterCore('Prescott', avx512, 'Haswell')).toBeUndefined();
    expect(betterCore('Prescott', avx512, '')).toBe('SkylakeX');
  });

  it('an_old_processor_an_unknown_one_and_another_library_are_left_alone', () => {
    expect(betterCore('Nehalem', new Set(['sse2']), undefined)).toBeUndefined();
    expect(betterCore('Sandybridge', new Set(['avx']), undefined)).toBeUndefined();
    expect(betterCore('Prescott', new Set(['avx', 'avx2']), undefined)).toBeUndefined();
    expect(betterCore('Prescott', new Set(), undefined)).toBeUndefined();
    expect(betterCore(undefined, avx512, undefined)).toBeUndefined();
  });
});

/** The core of the OpenBLAS at hand, if it tells. */
const library = ((): string | undefined => {
  try {
    return coreName(loadLibrary(['libopenblas.so.0'])) === undefined ? undefined : 'libopenblas.so.0';
  } catch {
    return undefined;
  }
})();

describe.skipIf(library === undefined)('a process', () => {
  /** What a fresh process says of the library, twice and from a worker, and of its environment afterwards. */
  function described(environment: Record<string, string>): {
    first: string;
    second: string;
    worker: string;
    left: string | null;
  } {
    const open = new URL('../../dist/src/dense/system/open.js', import.meta.url).href;
    const types = new URL('../../dist/src/dense/system/core-type.js', import.meta.url).href;
    const libraries = new URL('../../dist/src/dense/system/library.js', import.meta.url).href;
    const script = `
      import { Worker } from 'node:worker_threads';
      const { openOpenblas } = await import('${open}');
      const describe = () => openOpenblas({ library: '${library}' }).description;
      const [first, second] = [describe(), describe()];
      const code =
        "Promise.all([import('node:worker_threads'), import('${types}'), import('${libraries}')])" +
        ".then(([w, t, l]) => w.parentPort.postMessage(t.coreName(new l.BlasLibrary(['${library}']))))";
      const worker = await new Promise((resolve, reject) =>
        new Worker(code, { eval: true }).once('message', resolve).once('error', reject));
      console.log(JSON.stringify({ first, second, worker, left: process.env.OPENBLAS_CORETYPE ?? null }));`;
    const { OPENBLAS_CORETYPE: _, ...inherited } = process.env;
    return JSON.parse(
      execFileSync(process.execPath, ['--input-type=module', '-e', script], {
        encoding: 'utf8',
        env: { ...inherited, ...environment },
      }),
    ) as ReturnType<typeof described>;
  }

  it('uses_the_processor_in_every_thread_says_so_and_leaves_the_environment_alone', () => {
    const { first, second, worker, left } = described({});
    const core = /\((\w+)/.exec(first)?.[1];
    expect(betterCore(core, processorFlags(), undefined)).toBeUndefined();
    expect(second).toBe(first);
    expect(worker).toBe(core);
    expect(left).toBeNull();
  });

  it('keeps_the_core_that_the_user_names', () => {
    const { first, left } = described({ OPENBLAS_CORETYPE: 'Prescott' });
    expect(first).not.toContain('chosen');
    expect(left).toBe('Prescott');
  });
});
