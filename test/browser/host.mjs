/** What runs in a browser, on a page's own thread and in a worker: asked what to do, it answers with data. */
import * as hmatrix from 'hmatrix';
import { failureOf, results } from './program.mjs';

/** A source whose entries fail on the threads of workers alone: in a module of its own, as text. */
const FAILING = `export const openSource = ({ size, shares }) => ({
  size,
  entries(rows, cols, out) {
    Atomics.add(shares, 0, 1);
    if (typeof hmatrixHost === 'undefined') throw Object.assign(new Error('no entries today'),
      { name: 'OptionError', code: 'option', data: { worst: Infinity } });
    // The other thread gets its turn.
    for (const begin = performance.now(); performance.now() - begin < 20;);
    for (let j = 0; j < cols.length; j++)
      for (let i = 0; i < rows.length; i++) out.data[out.offset + i + j * out.ld] = rows[i] === cols[j] ? 1 : 0;
  },
  diagonal(out) { out.fill(1); },
});`;

async function failingSource() {
  globalThis.hmatrixHost = true;
  const module = URL.createObjectURL(new Blob([FAILING], { type: 'text/javascript' }));
  const { openSource } = await import(/* @vite-ignore */ module);
  const data = { size: 300, shares: new Int32Array(new SharedArrayBuffer(4)) };
  return { ...openSource(data), descriptor: { module, name: 'openSource', data } };
}

const QUESTIONS = {
  isolated: () => Promise.resolve(globalThis.crossOriginIsolated),
  async team(workers) {
    const team = await hmatrix.openTeam({ workers });
    const found = { workers: team.workers, backend: team.blas.kind };
    await team.close();
    return found;
  },
  async results(workers) {
    const team = await hmatrix.openTeam({ workers });
    const found = await results(hmatrix, team);
    await team.close();
    return found;
  },
  async workerFailure() {
    const team = await hmatrix.openTeam({ workers: 2 });
    const options = { leafSize: 16, distance: 'lexicographic', tolerance: 1e-3 };
    const error = await hmatrix.compress(await failingSource(), options, { team }).catch((thrown) => thrown);
    await team.close();
    const { name, message, data } = error;
    return { typed: error instanceof hmatrix.errors.OptionError, name, message, data };
  },
  async failures() {
    const nowhere = (name) => failureOf(Promise.resolve().then(() => hmatrix.dense.openBlas(name)));
    return [await failureOf(hmatrix.io.readPoints('points.csv')), await nowhere('openblas')];
  },
  async tensorFlow() {
    const tf = await import('@tensorflow/tfjs-core');
    await import('@tensorflow/tfjs-backend-cpu');
    const absent = await failureOf(hmatrix.devices.openDevice('tfjs'));
    const device = await hmatrix.devices.openDevice('tfjs', { tf });
    const products = [{ x: 0, y: 0, count: 3, to: 0 }];
    const planned = await device.plan({ kind: 'innerProducts', products });
    const [x, out] = [await device.upload(Float32Array.of(1, 2, 3)), await device.allocate(1, 'f32')];
    device.launch(planned, { x, y: x, out });
    const sum = new Float32Array(1);
    await device.read(out, sum);
    await device.close();
    return { absent, description: device.description, sum: sum[0], tensors: tf.memory().numTensors };
  },
  /** A matrix on the browser's own graphics card: how far products, and solutions if asked, are from those here. */
  async webgpu(solves) {
    const { kernels, random, dense } = hmatrix;
    const coordinates = new Float64Array(400);
    new random.RandomStream(1).fillNormal(coordinates);
    const team = await hmatrix.openTeam({ workers: 1 });
    const source = hmatrix.kernelSource({ dimension: 2, count: 200, coordinates }, kernels.gaussian(0.5));
    const matrix = await hmatrix.compress(source, { leafSize: 24, tolerance: 1e-6, format: 'hss' }, { team });
    const x = dense.zeros(200, 3);
    new random.RandomStream(2).fillNormal(x.data);
    const device = await hmatrix.devices.openDevice('webgpu', {}, { team });
    const onDevice = await matrix.to(device);
    const far = (found, exact) =>
      Math.hypot(...exact.data.map((value, i) => found.data[i] - value)) / Math.hypot(...exact.data);
    const product = far(await onDevice.apply(x), matrix.apply(x));
    const differences = [product];
    if (solves) {
      const here = await hmatrix.factor(matrix, { shift: 1 }, { team });
      const there = await onDevice.factor({ shift: 1 });
      differences.push(far(await there.solve(x), here.solve(x)));
    }
    const { description } = device;
    await device.close();
    await team.close();
    return { description, differences };
  },
  teamFailure: (workers) => failureOf(hmatrix.openTeam({ workers })),
};

/** The answer to a question, by its name in QUESTIONS. */
export const answer = (question, ...args) => QUESTIONS[question](...args);

if (typeof document === 'undefined') {
  globalThis.onmessage = ({ data: [id, ...question] }) => {
    answer(...question).then(
      (value) => postMessage([id, value]),
      (error) => postMessage([id, undefined, `${error.name}: ${error.message}\n${error.stack}`]),
    );
  };
  postMessage('ready');
}
