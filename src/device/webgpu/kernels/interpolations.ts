/**
 * Interpolative decompositions by Householder QR with column pivoting, a workgroup for each: rows of threads take
 * columns, their threads rows. Columns stay where they are; what is left of their norms is formed anew with every
 * reflection, of which nothing cancels. T = R₁₁⁻¹·R₁₂ by back substitution, a thread for each of its columns.
 */
import { ROUNDOFF } from '../../../core/floats.js';
import {
  INTERPOLATION_WORDS,
  listsOfInterpolations,
  MOST_COLUMNS,
  NOISE,
  type Interpolations,
} from '../../work/interpolations.js';
import { COLUMNS, LANES, makeReflection, THREADS } from './qr.js';
import { wordOfFloat, type Kernel } from './shader.js';
import { wordsOf, type Step } from './step.js';

const INTERPOLATE: Kernel = {
  name: 'interpolate',
  lists: ['blocks', 'thresholds'],
  operands: ['values', 'order', 'interpolations', 'outcomes'],
  writes: ['values', 'order', 'interpolations', 'outcomes'],
  takesWidth: false,
  body: ({ values, order, interpolations, outcomes }) => `
var<workgroup> norms: array<f32, ${MOST_COLUMNS}>;
var<workgroup> chosen: array<u32, ${MOST_COLUMNS}>;
var<workgroup> columnAt: array<u32, ${MOST_COLUMNS}>;
var<workgroup> sums: array<f32, ${THREADS}>;
var<workgroup> largest: array<f32, ${THREADS}>;
var<workgroup> places: array<u32, ${THREADS}>;
var<workgroup> target_: f32;
var<workgroup> going: u32;

// The sum of what the threads of a row have.
fn rowSum(value: f32, thread: u32) -> f32 {
  sums[thread] = value;
  workgroupBarrier();
  var sum = 0.0;
  for (var l = 0u; l < ${LANES}u; l++) { sum += sums[thread - thread % ${LANES}u + l]; }
  workgroupBarrier();
  return sum;
}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let number = groupOf(group);
  if (number >= word(0u)) { return; }
  let block = ${INTERPOLATION_WORDS}u * number;
  let a = blocks[block];
  let ld = blocks[block + 1u];
  let rows = blocks[block + 2u];
  let columns = blocks[block + 3u];
  let most = blocks[block + 4u];
  let lane = thread % ${LANES}u;
  let own = thread / ${LANES}u;
  for (var first = 0u; first < columns; first += ${COLUMNS}u) {
    let c = first + own;
    var sum = 0.0;
    if (c < columns) {
      for (var i = lane; i < rows; i += ${LANES}u) { sum += ${values}[a + i + c * ld] * ${values}[a + i + c * ld]; }
    }
    sum = rowSum(sum, thread);
    if (c < columns && lane == 0u) {
      norms[c] = sum;
      chosen[c] = 0u;
    }
  }
  if (thread == 0u) {
    let threshold = bitcast<f32>(thresholds[number]);
    target_ = threshold * threshold;
    going = 1u;
  }
  workgroupBarrier();
  var rank = 0u;
  var total = 0.0;
  for (var k = 0u; k <= most; k++) {
    // The column with most left, and what is left of all.
    var most_ = -1.0;
    var sum = 0.0;
    var place = columns;
    for (var c = thread; c < columns; c += ${THREADS}u) {
      if (chosen[c] == 0u) {
        sum += norms[c];
        if (norms[c] > most_) { most_ = norms[c]; place = c; }
      }
    }
    largest[thread] = most_;
    sums[thread] = sum;
    places[thread] = place;
    workgroupBarrier();
    for (var half = ${THREADS / 2}u; half > 0u; half /= 2u) {
      if (thread < half) {
        let other = largest[thread + half];
        sums[thread] += sums[thread + half];
        if (other > largest[thread] || (other == largest[thread] && places[thread + half] < places[thread])) {
          largest[thread] = other;
          places[thread] = places[thread + half];
        }
      }
      workgroupBarrier();
    }
    total = sums[0];
    let pivot = min(places[0], columns - 1u);
    if (thread == 0u) {
      if (k == 0u) { target_ = max(target_, total * ${(NOISE * ROUNDOFF.f32) ** 2}); }
      // By its bits: kernels may be compiled as if nothing were infinite or not a number.
      let bits = bitcast<u32>(total);
      if (k == most || !(total > target_) || bits >= 0x7f800000u) { going = 0u; }
    }
    if (workgroupUniformLoad(&going) == 0u) { break; }
    let column = a + pivot * ld;
    sum = 0.0;
    ${makeReflection(values)}
    if (thread == 0u) {
      ${values}[column + k] = beta;
      columnAt[k] = pivot;
      chosen[pivot] = 1u;
    }
    storageBarrier();
    workgroupBarrier();
    for (var first = 0u; first < columns; first += ${COLUMNS}u) {
      let c = first + own;
      let other = a + c * ld;
      let takes = c < columns && chosen[min(c, columns - 1u)] == 0u;
      var dot = 0.0;
      if (takes) {
        if (lane == 0u) { dot = ${values}[other + k]; }
        for (var i = k + 1u + lane; i < rows; i += ${LANES}u) { dot += ${values}[column + i] * ${values}[other + i]; }
      }
      dot = tau * rowSum(dot, thread);
      var left = 0.0;
      if (takes) {
        for (var i = k + 1u + lane; i < rows; i += ${LANES}u) {
          let value = ${values}[other + i] - dot * ${values}[column + i];
          ${values}[other + i] = value;
          left += value * value;
        }
      }
      left = rowSum(left, thread);
      if (takes && lane == 0u) {
        ${values}[other + k] -= dot;
        norms[c] = left;
      }
    }
    storageBarrier();
    workgroupBarrier();
    rank = k + 1u;
  }
  if (thread == 0u) {
    var next = rank;
    for (var c = 0u; c < columns; c++) {
      if (chosen[c] == 0u) { columnAt[next] = c; next++; }
    }
    ${outcomes}[blocks[block + 8u]] = f32(rank);
    let bits = bitcast<u32>(total);
    ${outcomes}[blocks[block + 8u] + 1u] = select(sqrt(total), bitcast<f32>(bits | 0x400000u), bits >= 0x7f800000u);
  }
  workgroupBarrier();
  for (var j = thread; j < columns; j += ${THREADS}u) { ${order}[blocks[block + 5u] + j] = f32(columnAt[j]); }
  for (var j = thread; j + rank < columns; j += ${THREADS}u) {
    let right = a + columnAt[rank + j] * ld;
    let t = blocks[block + 6u] + j * blocks[block + 7u];
    for (var back = 0u; back < rank; back++) {
      let q = rank - 1u - back;
      var value = ${values}[right + q];
      for (var s = q + 1u; s < rank; s++) {
        value -= ${values}[a + q + columnAt[s] * ld] * ${interpolations}[t + s];
      }
      ${interpolations}[t + q] = value / ${values}[a + q + columnAt[q] * ld];
    }
  }
}
`,
};

/** Interpolative decompositions: one step. */
export function interpolationSteps(work: Interpolations): Step[] {
  if (work.blocks.length === 0) return [];
  const { blocks, thresholds } = listsOfInterpolations(work);
  return [
    {
      kernel: () => INTERPOLATE,
      lists: { blocks: wordsOf(blocks), thresholds: Uint32Array.from(thresholds, wordOfFloat) },
      constants: [],
      operands: { values: 'values', order: 'order', interpolations: 'interpolations', outcomes: 'outcomes' },
      groups: () => [work.blocks.length, 1],
    },
  ];
}
