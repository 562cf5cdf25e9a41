// Answers HiPPO test vectors: reads JSON Lines on stdin, writes JSON Lines on stdout. Node, no packages.
//
//     node hippo_vectors.mjs < vectors.jsonl > answers.jsonl
//
// Offers matrices, scans and single steps of legs, legt and lmu under euler, bilinear and backward_euler, and read-outs.
// BUG=late-clock, doubled-b, theta-ignored, one-based or unweighted plants a mistake, to see it named by the checker.

import { createInterface } from "node:readline";

const BUG = process.env.BUG ?? "";
const WEIGHT = { euler: 0, bilinear: 0.5, backward_euler: 1 };

/** A hex float such as -0x1.8p+1: at most 53 bits times a power of two, so the product is exact. */
function hex(text) {
  const [, sign, whole, fraction = "", exponent] = /^(-?)0x([01])(?:\.([0-9a-f]+))?p([+-]\d+)$/.exec(text);
  return (sign ? -1 : 1) * parseInt(whole + fraction, 16) * 2 ** (Number(exponent) - 4 * fraction.length);
}

const parity = (n) => (n % 2 ? -1 : 1);

/** A (rows) and B, signed: dc/dt = A c + B f; for legs divided by t. */
function operators({ measure, order, parameters }) {
  const theta = parameters.theta && BUG !== "theta-ignored" ? hex(parameters.theta) : 1;
  const s = (n) => Math.sqrt(2 * n + 1);
  const entry = {
    legs: (n, k) => (n > k ? -s(n) * s(k) : n === k ? -(n + 1) : 0),
    legt: (n, k) => (-s(n) * s(k) * (k <= n ? 1 : parity(n - k))) / theta,
    lmu: (n, k) => (-(2 * n + 1) * (k <= n ? parity(n - k) : 1)) / theta,
  }[measure];
  const gain = { legs: s, legt: (n) => s(n) / theta, lmu: (n) => ((2 * n + 1) * parity(n)) / theta }[measure];
  const indices = Array.from({ length: order }, (_, n) => (BUG === "one-based" ? n + 1 : n));
  return {
    A: indices.map((n) => indices.map((k) => entry(n, k))),
    B: indices.map((n) => gain(n) * (BUG === "doubled-b" ? 2 : 1)),
  };
}

/** Solves M x = y by elimination with row exchanges. */
function solve(M, y) {
  const rows = M.map((row, i) => [...row, y[i]]);
  const N = rows.length;
  for (let p = 0; p < N; p++) {
    let best = p;
    for (let i = p + 1; i < N; i++) if (Math.abs(rows[i][p]) > Math.abs(rows[best][p])) best = i;
    [rows[p], rows[best]] = [rows[best], rows[p]];
    for (let i = p + 1; i < N; i++) {
      const factor = rows[i][p] / rows[p][p];
      if (factor !== 0) for (let j = p; j <= N; j++) rows[i][j] -= factor * rows[p][j];
    }
  }
  const x = new Array(N);
  for (let i = N - 1; i >= 0; i--) {
    let rest = rows[i][N];
    for (let j = i + 1; j < N; j++) rest -= rows[i][j] * x[j];
    x[i] = rest / rows[i][i];
  }
  return x;
}

/** LegS in O(N): with x = c / s, row n of A x is -(n+1) x_n - sum_{j<n} (2j+1) x_j, and B is 1. */
function legsStep(state, a, h, u) {
  const next = new Array(state.length);
  let sum = 0; // of (2j+1) (a y_j + (1-a) x_j)
  for (let n = 0; n < state.length; n++) {
    const s = Math.sqrt(2 * n + 1);
    const x = state[n] / s;
    const y = (x - h * (1 - a) * (n + 1) * x - h * sum + h * u) / (1 + a * h * (n + 1));
    sum += (2 * n + 1) * (a * y + (1 - a) * x);
    next[n] = y * s;
  }
  return next;
}

function step(system, state, a, h, u) {
  const { A, B } = system;
  const right = state.map((c, i) => c + (1 - a) * h * A[i].reduce((sum, entry, j) => sum + entry * state[j], 0) + h * B[i] * u);
  return a ? solve(A.map((row, i) => row.map((entry, j) => (i === j ? 1 : 0) - a * h * entry)), right) : right;
}

/** The state after sample number k, from the one before. */
function advance(vector, system, state, u, k, times) {
  const a = WEIGHT[vector.method];
  if (vector.measure !== "legs") return step(system, state, a, hex(vector.dt), u);
  if (k === 0) return state.map((_, n) => (n === 0 ? u : 0));
  const late = BUG === "late-clock" ? 1 : 0;
  const h = times ? (times[k] - times[k - 1]) / times[k] : 1 / (k + late);
  // Planted mistakes live in A and B, which the O(N) step does not use.
  return ["one-based", "doubled-b"].includes(BUG) ? step(system, state, a, h, u) : legsStep(state, a, h, u);
}

/** Legendre polynomials of 2y - 1 by their recurrence, scaled as the measure has them. */
function readOut({ measure, order, state, points }) {
  const c = state.map(hex);
  return points.map(hex).map((y) => {
    const z = 2 * y - 1;
    let [older, newer, sum] = [0, 1, 0];
    for (let n = 0; n < order; n++) {
      const scale = measure === "lmu" ? parity(n) : BUG === "unweighted" ? 1 : Math.sqrt(2 * n + 1);
      sum += c[n] * scale * newer;
      [older, newer] = [newer, ((2 * n + 1) * z * newer - n * older) / (n + 1)];
    }
    return [sum];
  });
}

/** All rows of the answer, or the reason why there is none. */
function compute(vector) {
  if (!["legs", "legt", "lmu"].includes(vector.measure)) return "measure";
  if (vector.kind === "reconstruct") return readOut(vector);
  const system = operators(vector);
  if (vector.kind === "matrices") return system.A.map((row, n) => [...row, system.B[n]]);
  if (!["scan", "step"].includes(vector.kind)) return "kind";
  if (!(vector.method in WEIGHT)) return "rule";
  const samples = vector.samples.map(hex);
  if (vector.kind === "step") return [advance(vector, system, vector.state.map(hex), samples[0], vector.index)];
  const times = vector.timestamps?.map(hex);
  let state = new Array(vector.order).fill(0);
  return samples.map((u, k) => (state = advance(vector, system, state, u, k, times)));
}

/** JSON has no NaN and no infinity: those go as text. */
const written = (value) => (Number.isFinite(value) ? value : String(value));

let header = null;
for await (const line of createInterface({ input: process.stdin })) {
  const record = JSON.parse(line);
  if (header === null) {
    header = record;
    if (header.format !== "hippo-vectors/1") throw new Error(`stdin is ${header.format}, not hippo-vectors/1`);
    const told = { format: "hippo-answers/1", program: "hippo_vectors.mjs", vectors: header.sha256.document };
    console.log(JSON.stringify(told));
    continue;
  }
  const rows = compute(record);
  const answer = Array.isArray(rows) ? { values: record.rows.flatMap((n) => rows[n].map(written)) } : { unsupported: rows };
  console.log(JSON.stringify({ id: record.id, ...answer }));
}
