export function textOf(stream: string, seq: number, run: number): string
export function runOf(text: string): number
export function randomOf(seed: number): () => number
