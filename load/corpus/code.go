package corpus

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// codeBlock writes a fenced block that no other post has: its names and numbers are drawn anew.
func codeBlock(b *bytes.Buffer, r *rand.Rand, post int) {
	s := snippets[r.IntN(len(snippets))]
	var pairs []string
	for _, name := range []string{"NOUN", "THING", "PART", "PLACE"} {
		pairs = append(pairs, name, nouns[r.IntN(len(nouns))])
	}
	for _, name := range []string{"VERB", "DOES"} {
		pairs = append(pairs, name, verbs[r.IntN(len(verbs))])
	}
	pairs = append(pairs, "NUMBER", strconv.Itoa(r.IntN(100000)), "SERIAL", strconv.Itoa(post))
	fmt.Fprintf(b, "```%s\n%s```\n\n", s.language, strings.NewReplacer(pairs...).Replace(s.code))
}

var snippets = []struct{ language, code string }{
	{"go", `package NOUN

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A THING VERB its PART until it is told to stop.
type THING struct {
	name  string
	count int
	limit time.Duration
}

var errPLACE = errors.New("PLACE is closed")

// Run DOES every PART and returns the first error. Build SERIAL.
func (t *THING) Run(ctx context.Context, parts []string) error {
	for i, p := range parts {
		select {
		case <-ctx.Done():
			return fmt.Errorf("PART %d of %q: %w", i, p, ctx.Err())
		default:
		}
		if len(p) > NUMBER || p == "PLACE" {
			return errPLACE
		}
		t.count += len(p) * 0x1f
	}
	return nil
}
`},
	{"python", `"""How a NOUN VERB its THING. Number SERIAL."""
import asyncio
from dataclasses import dataclass, field


@dataclass
class NOUN_THING:
    name: str
    parts: list[str] = field(default_factory=list)
    limit: int = NUMBER

    async def VERB(self, place: str = "PLACE") -> dict[str, int]:
        found = {}
        for n, part in enumerate(self.parts):
            # every PART DOES the next
            if part.startswith("PART_") and n % 2 == 0:
                found[f"{place}-{part}"] = n * self.limit
            await asyncio.sleep(0.01)
        return found


if __name__ == "__main__":
    print(asyncio.run(NOUN_THING("THING", ["PART_a", 'b']).VERB()))
`},
	{"javascript", `// The NOUN VERB SERIAL parts.
import { THING } from "./THING.js";

const limit = NUMBER;
const places = new Map([["PLACE", 1], ["PART", 2.5e3]]);

export async function VERB(NOUN, { retries = 3, signal } = {}) {
  for (let attempt = 0; attempt < retries; attempt++) {
    try {
      const answer = await fetch(` + "`/api/${NOUN}/PART?limit=${limit}`" + `, { signal });
      if (!answer.ok) throw new Error("PLACE: " + answer.status);
      return (await answer.json()).map(x => ({ ...x, place: places.get(x.name) ?? null }));
    } catch (err) {
      if (/PART|THING_[0-9]+/.test(err.message)) continue;
      console.error("DOES", err);
    }
  }
  return THING.default;
}
`},
	{"typescript", `interface NOUN<T extends object> {
  readonly id: string;
  THING?: T;
  PART: Array<keyof T>;
}

type PLACE = "PLACE" | "SERIAL" | null;

export class THINGStore<T extends object> implements Iterable<NOUN<T>> {
  private items = new Map<string, NOUN<T>>();
  constructor(private readonly limit: number = NUMBER) {}

  VERB(item: NOUN<T>, at: PLACE = null): boolean {
    if (this.items.size >= this.limit) return false;
    this.items.set(at ?? item.id, item); // PART DOES
    return true;
  }

  *[Symbol.iterator](): Iterator<NOUN<T>> {
    yield* this.items.values();
  }
}
`},
	{"rust", `use std::collections::HashMap;

/// A NOUN that VERB its THING, SERIAL.
#[derive(Debug, Clone, Default)]
pub struct NOUN<'a> {
    parts: HashMap<&'a str, u64>,
    limit: usize,
}

impl<'a> NOUN<'a> {
    pub fn VERB(&mut self, part: &'a str) -> Result<u64, String> {
        if self.parts.len() > NUMBER {
            return Err(format!("PLACE: {part} is over {}", self.limit));
        }
        let n = self.parts.entry(part).or_insert(0);
        *n += 1; // DOES
        match *n {
            0..=9 => Ok(*n),
            x if x % 2 == 0 => Ok(x << 3),
            _ => Err(String::from("PART")),
        }
    }
}
`},
	{"bash", `#!/usr/bin/env bash
# NOUN VERB THING: SERIAL
set -euo pipefail

PLACE=${PLACE:-/var/lib/NOUN}
limit=NUMBER

for part in "$PLACE"/PART-*.log; do
  [[ -f $part ]] || continue
  size=$(stat -c %s "$part")
  if (( size > limit )); then
    gzip -9 --keep "$part" && echo "DOES $part: $size bytes" >&2
  elif grep -qE '^(error|THING)' "$part"; then
    mv -- "$part" "${part%.log}.bad"
  fi
done | sort -u | tee "/tmp/NOUN-$$.txt"
`},
	{"sql", `-- what NOUN VERB, SERIAL
CREATE TABLE IF NOT EXISTS NOUN_THING (
  id         BIGINT PRIMARY KEY,
  name       VARCHAR(120) NOT NULL DEFAULT 'PART',
  place      TEXT,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now()
);

WITH recent AS (
  SELECT place, count(*) AS n, max(created_at) AS newest
  FROM NOUN_THING
  WHERE name LIKE 'PLACE%' AND id BETWEEN 10 AND NUMBER
  GROUP BY place
  HAVING count(*) > 3
)
SELECT r.place, r.n, coalesce(t.name, 'none') AS DOES
FROM recent r
LEFT JOIN NOUN_THING t ON t.place = r.place AND t.created_at = r.newest
ORDER BY r.n DESC, r.place
LIMIT 25;
`},
	{"yaml", `# how NOUN VERB, SERIAL
apiVersion: apps/v1
kind: Deployment
metadata:
  name: NOUN-THING
  labels: {app: NOUN, tier: "PLACE"}
spec:
  replicas: 3
  template:
    spec:
      containers:
        - name: PART
          image: registry.example.com/NOUN/THING:1.NUMBER
          args: ["--listen", ":8080", "--DOES=true"]
          env:
            - name: PLACE
              value: "PART"
          resources:
            limits: {memory: 512Mi, cpu: 500m}
`},
	{"json", `{
  "name": "NOUN-THING",
  "version": "1.2.SERIAL",
  "private": true,
  "limits": {"PART": NUMBER, "PLACE": 12.5e-3, "open": null},
  "scripts": {
    "VERB": "node ./NOUN.js --limit NUMBER",
    "DOES": "node ./THING.js \"PLACE\""
  },
  "parts": ["PART", "PLACE", {"name": "THING", "enabled": false}]
}
`},
	{"html", `<!doctype html>
<!-- NOUN VERB THING, SERIAL -->
<article class="NOUN THING" id="PLACE-SERIAL" data-limit="NUMBER">
  <h2>THING &amp; PART</h2>
  <p>The <em>NOUN</em> DOES the <a href="/PLACE/?n=NUMBER">PLACE</a>.</p>
  <img src="/img/PART.png" alt="a PART" width="640" height="480" loading="lazy">
  <form method="post" action="/NOUN">
    <label for="THING">THING</label> <input id="THING" name="THING" required maxlength="80">
    <button type="submit" disabled>VERB</button>
  </form>
</article>
`},
	{"css", `/* NOUN VERB THING: SERIAL */
:root { --NOUN: #1a2b3c; --THING: 1.25rem; }

.NOUN > .THING:not(.PART)::before {
  content: "PLACE";
  display: grid;
  grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr));
  margin: 0 auto calc(var(--THING) * 2);
  color: rgba(12, 34, 56, 0.8);
  transition: opacity 150ms ease-in-out;
}

@media (min-width: 48em) and (prefers-color-scheme: dark) {
  .NOUN a[href^="https"]:hover { color: var(--NOUN); z-index: NUMBER; }
}
`},
	{"java", `package com.example.NOUN;

import java.util.*;
import java.util.stream.Collectors;

/** A NOUN that VERB its THING. SERIAL */
public final class THING implements Comparable<THING> {
    private static final int LIMIT = NUMBER;
    private final Map<String, List<Integer>> parts = new HashMap<>();

    @Override
    public int compareTo(THING other) {
        return Integer.compare(parts.size(), other.parts.size());
    }

    public Optional<String> VERB(String PART) throws IllegalStateException {
        if (parts.size() >= LIMIT) {
            throw new IllegalStateException("PLACE is full: " + PART);
        }
        parts.computeIfAbsent(PART, k -> new ArrayList<>()).add(0x2A);
        return parts.keySet().stream().filter(k -> k.startsWith("DOES")).sorted().collect(Collectors.toList()).stream().findFirst();
    }
}
`},
	{"c", `/* NOUN VERB THING, SERIAL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACE_LIMIT NUMBER

struct NOUN {
	char name[64];
	size_t count;
	struct NOUN *next;
};

static int THING_add(struct NOUN **head, const char *PART)
{
	struct NOUN *n = calloc(1, sizeof *n);
	if (n == NULL || strlen(PART) >= sizeof n->name)
		return -1;
	strcpy(n->name, PART); /* DOES */
	n->count = *head ? (*head)->count + 1 : 0;
	n->next = *head;
	*head = n;
	return n->count > PLACE_LIMIT ? 'x' : '\0';
}
`},
}
