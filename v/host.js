import * as hm from '/tmp/w2/play/dist/src/index.js';
(async () => { try {
 const t = {}; const iso = self.crossOriginIsolated;
 let t0 = performance.now();
 const team = await hm.openTeam({ });
 t.team = performance.now()-t0; t0=performance.now();
 const n = 4096, coordinates = new Float64Array(2*n);
 new hm.random.RandomStream(1).fillUniform?.(coordinates) ?? new hm.random.RandomStream(1).fillNormal(coordinates);
 const out = [];
 for (const format of ['hss','hss','hodlr','fmm']) { t0=performance.now();
  const m = await hm.compress(hm.kernelSource({dimension:2,count:n,coordinates}, hm.kernels.gaussian(0.3), {ridge:1e-3}), {format, tolerance:1e-4, leafSize:128, seed:1}, {team});
  const t1=performance.now()-t0; t0=performance.now();
  const x = hm.dense.zeros(n,1); x.data.fill(1); let y; for (let k=0;k<50;k++) y = m.apply(x);
  out.push([format, t1, (performance.now()-t0)/50, y.data[0], y.data[4095], m.report?.error]);
 }
 let failure; try { await hm.io.readPoints('a.csv'); } catch (e) { failure = [e.name, e.message]; }
 postMessage({iso, workers: team.workers, kind: team.blas.kind, t, out, failure, n: hm.random.RandomStream.prototype.fillUniform !== undefined});
} catch (e) { postMessage({error: String(e), stack: e.stack}); } })();
