/** Lists of neighbors of ranks that are threads, while they compress, for test/distributed/own-lists.test.ts. */
import { uniformPoints } from '#datasets/points.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { Team } from '#hmatrix/parallel/team.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { matern32 } from '#hmatrix/source/kernels/named.js';
import { findNeighborRows } from '#hmatrix/tree/neighbors.js';

/** Arrays that have numbers for each neighbor of an index, or for each index that a rank has lists of. */
const LISTS = ['neighbors', 'indices', 'marks'];
const OWN = ['nearestBegin', 'reach', 'known', 'next'];

/** Numbers that stand together: memory is touched by pages. */
const PAGE = 64;

/** Arrays of a number for each index, by the names of what holds them. */
function* ofAllIndices(state, size, path = []) {
  for (const [name, value] of Object.entries(state ?? {}))
    if (ArrayBuffer.isView(value)) {
      if (value.length === size) yield [[...path, name].join('.'), value];
    } else if (typeof value === 'object') yield* ofAllIndices(value, size, [...path, name]);
}

/** The part of an array's pages in which something stands. */
function touched(array) {
  const pages = Math.ceil(array.length / PAGE);
  let some = 0;
  for (let k = 0; k < pages; k++) if (array.subarray(k * PAGE, (k + 1) * PAGE).some((number) => number !== 0)) some++;
  return some / Math.max(1, pages);
}

/** Numbers of an array in pages in which something stands. */
const standing = (array) => Math.round(touched(array) * array.length);

/**
 * Numbers that stand in each array that the team is given while neighbors are searched, by its name, but for the
 * points; and the most numbers of an array of this thread's own.
 */
export async function searched(communicator, { size, dimension, neighbors }) {
  const team = await Team.open({ workers: 1, communicator });
  const numbers = {};
  const release = team.release.bind(team);
  team.release = (shared) => {
    const note = (some, path) => {
      for (const [name, value] of Object.entries(some ?? {})) {
        if (name === 'distance' || name === 'coordinates') continue;
        const at = [...path, name].join('.');
        if (ArrayBuffer.isView(value)) numbers[at] = Math.max(numbers[at] ?? 0, standing(value));
        else if (typeof value === 'object') note(value, [...path, name]);
      }
    };
    note(shared.state, []);
    return release(shared);
  };
  const source = kernelSource(uniformPoints(size, dimension, 1), matern32(0.1), { blas: team.blas });
  const plain = globalThis.Int32Array;
  let most = 0;
  globalThis.Int32Array = new Proxy(plain, {
    construct: (target, given, maker) => {
      if (typeof given[0] === 'number') most = Math.max(most, given[0]);
      return Reflect.construct(target, given, maker === globalThis.Int32Array ? target : maker);
    },
  });
  try {
    await findNeighborRows(source, 'geometric', { neighbors, seed: 5 }, { team });
  } finally {
    globalThis.Int32Array = plain;
  }
  await team.close();
  return { numbers, most };
}

/**
 * Rows of the largest of each that the team was given, κ neighbors each, and of pools; which arrays of all indices are
 * touched by more than a rank's part; of how many indices leaves were known while rows were sampled, and of how many
 * they have to be; of how many indices the order of leaves stands here at first, after a product with own rows, and
 * with all; options that were chosen, and the matrix's product with a vector.
 */
export async function held(communicator, { size, dimension, ...options }) {
  const team = await Team.open({ workers: 1, communicator });
  const rows = {};
  const whole = new Set();
  let known;
  let pooled = 0;
  const release = team.release.bind(team);
  team.release = (shared) => {
    const { state } = shared;
    for (const [name, array] of ofAllIndices(state, size))
      if (touched(array) > 0.8 && !/^(data|source)\.|^place$|(^|\.)coordinates$/.test(name)) whole.add(name);
    if (state.skeletons !== undefined && state.nearestOf !== undefined) {
      pooled = Math.max(pooled, state.pools.numbers.length);
      const { order } = state.tree;
      const first = state.first;
      const own = order.subarray(first, first + state.reach.length);
      known = [state.leafAt?.length, new Set([...own, ...state.neighbors, ...state.nearestOf]).size];
    }
    return release(shared);
  };
  const share = team.share.bind(team);
  team.share = (state, sharing) => {
    const count = state.neighborCount ?? state.count ?? state.nearest?.capacity ?? state.capacity;
    const found = { ...state, ...state.nearest };
    const note = (name, some) => (rows[name] = Math.max(rows[name] ?? 0, some));
    for (const name of LISTS)
      if (found[name] instanceof Int32Array && count > 0)
        note(name, found[name].length / (name === 'marks' ? 1 : count));
    for (const name of OWN) if (found[name] instanceof Int32Array) note(name, found[name].length);
    return share(state, sharing);
  };
  const source = kernelSource(uniformPoints(size, dimension, 1), matern32(0.1), { blas: team.blas });
  // Of several ranks none asks for all of it.
  let wholeDiagonals = 0;
  source.diagonal = () => {
    wholeDiagonals++;
  };
  const matrix = await compress(source, { tolerance: 1e-2, ...options }, { team });
  const x = Float64Array.from({ length: size }, (_, k) => Math.sin(1.7 * k));
  const { own } = matrix;
  const { chosen } = matrix.report;
  const laid = () => standing(matrix.data.tree.order);
  const laidOut = [laid()];
  const ownY = Array.from(matrix.applyOwn(Float64Array.from(own, (i) => x[i])).data);
  laidOut.push(laid());
  const y = Array.from(matrix.apply(x).data);
  laidOut.push(laid());
  const isPart = own.every((i, r) => y[i] === ownY[r]);
  await team.close();
  return { rows, whole: [...whole].sort(), known, own: own.length, pooled, chosen, y, isPart, laidOut, wholeDiagonals };
}
