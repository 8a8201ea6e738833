package capacity

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fake is a stack that holds so many operations a second. Each load takes 5 s of its clock.
type fake struct {
	holds    float64
	hiccups  map[int]bool // loads, from 0, that are missed whatever the rate
	stuckAt  float64      // above this rate it does not catch up; 0 for never
	whyAbove map[float64]Outcome
	clock    time.Duration
	rates    []float64
}

func (f *fake) now() time.Duration { return f.clock }

func (f *fake) load(_ context.Context, rate float64) (Step, error) {
	n := len(f.rates)
	f.rates = append(f.rates, rate)
	f.clock += 5 * time.Second
	s := Step{Offered: rate, Outcome: Held, DrainMS: new(0.0)}
	if rate > f.holds || f.hiccups[n] {
		s.Outcome = Missed
		for above, why := range f.whyAbove {
			if rate > above {
				s.Outcome = why
			}
		}
	}
	if f.stuckAt > 0 && rate > f.stuckAt {
		s.Outcome, s.DrainMS = Missed, nil
	}
	return s, nil
}

func find(t *testing.T, f *fake, change ...func(*Bounds)) Result {
	t.Helper()
	b := DefaultBounds()
	b.Time = time.Hour
	for _, c := range change {
		c(&b)
	}
	r, err := Search(t.Context(), b, f.now, f.load)
	require.NoError(t, err)
	for _, rate := range f.rates {
		require.LessOrEqual(t, rate, b.Most)
		require.GreaterOrEqual(t, rate, b.Least)
	}
	require.Len(t, r.Steps, len(f.rates))
	require.LessOrEqual(t, len(f.rates), b.Steps)
	return r
}

// TestSearchFindsTheKnee for knees anywhere between the bounds, below the first rate too.
func TestSearchFindsTheKnee(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		b := DefaultBounds()
		knee := b.Least * (1 + r.Float64()) * 1.01
		if r.IntN(4) > 0 {
			knee += r.Float64() * r.Float64() * (b.Most - 3*b.Least)
		}
		got := find(t, &fake{holds: knee})
		require.Equal(t, LimitStack, got.Limit)
		require.True(t, got.Known())
		require.False(t, got.Coarse)
		require.LessOrEqual(t, *got.Holds, knee)
		require.Greater(t, *got.Misses, knee)
		require.LessOrEqual(t, *got.Misses, *got.Holds*(1+b.Precision))
	}
}

func TestSearchEnds(t *testing.T) {
	for name, c := range map[string]struct {
		stack  fake
		change func(*Bounds)
		limit  Limit
		known  bool
		coarse bool
	}{
		"highest_rate_is_held":             {fake{holds: 1e9}, nil, LimitMost, false, false},
		"highest_rate_is_the_first":        {fake{holds: 1e9}, func(b *Bounds) { b.Start, b.Most = 100, 100 }, LimitMost, false, false},
		"lowest_rate_is_missed":            {fake{holds: 1}, nil, LimitLeast, false, false},
		"lowest_rate_is_held":              {fake{holds: 20}, nil, LimitStack, true, false},
		"generator_is_the_limit":           {fake{holds: 3000, whyAbove: map[float64]Outcome{3000: Generator}}, nil, LimitGenerator, false, false},
		"generator_only_far_above":         {fake{holds: 3000, whyAbove: map[float64]Outcome{3400: Generator}}, nil, LimitStack, true, false},
		"generator_below_the_lowest":       {fake{holds: 1, whyAbove: map[float64]Outcome{1: Generator}}, nil, LimitGenerator, false, false},
		"others_are_the_limit":             {fake{holds: 3000, whyAbove: map[float64]Outcome{3000: Others}}, nil, LimitOthers, false, false},
		"no_time_to_miss":                  {fake{holds: 3000}, func(b *Bounds) { b.Time = 12 * time.Second }, LimitCut, false, false},
		"no_time_for_the_second_try":       {fake{holds: 1}, func(b *Bounds) { b.Steps = 1 }, LimitCut, false, false},
		"no_time_to_come_close":            {fake{holds: 3000}, func(b *Bounds) { b.Steps = 9 }, LimitStack, true, true},
		"does_not_catch_up_at_the_first":   {fake{holds: 100, stuckAt: 100}, nil, LimitCut, false, false},
		"does_not_catch_up_some_way_above": {fake{holds: 900, stuckAt: 1000}, nil, LimitStack, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			got := find(t, &c.stack, func(b *Bounds) {
				if c.change != nil {
					c.change(b)
				}
			})
			require.Equal(t, c.limit, got.Limit)
			require.Equal(t, c.known, got.Known())
			require.Equal(t, c.coarse, got.Coarse)
		})
	}
}

// TestOneHiccupIsForgiven: a rate that is missed once and held then is held.
func TestOneHiccupIsForgiven(t *testing.T) {
	calm, shaken := find(t, &fake{holds: 3000}), find(t, &fake{holds: 3000, hiccups: map[int]bool{0: true, 3: true}})
	require.Equal(t, *calm.Holds, *shaken.Holds)
	require.Len(t, shaken.Steps, len(calm.Steps)+2)
}

// TestAMissThatIsNotTheStacksSaysNothingOfIt: of two misses at a rate the one with an excuse counts.
func TestAMissThatIsNotTheStacksSaysNothingOfIt(t *testing.T) {
	for name, outcomes := range map[string][]Outcome{"first": {Generator, Missed}, "second": {Missed, Generator}} {
		t.Run(name, func(t *testing.T) {
			f := &fake{}
			n := 0
			b := DefaultBounds()
			b.Start, b.Least = 100, 100
			got, err := Search(t.Context(), b, f.now, func(ctx context.Context, rate float64) (Step, error) {
				s, err := f.load(ctx, rate)
				s.Outcome = outcomes[n]
				n++
				return s, err
			})
			require.NoError(t, err)
			require.Equal(t, LimitGenerator, got.Limit)
		})
	}
}

func TestSearchInterrupted(t *testing.T) {
	f := &fake{holds: 3000}
	ctx, interrupt := context.WithCancelCause(t.Context())
	stop := errors.New("interrupted")
	got, err := Search(ctx, DefaultBounds(), f.now, func(ctx context.Context, rate float64) (Step, error) {
		if len(f.rates) == 2 {
			interrupt(stop)
		}
		return f.load(ctx, rate)
	})
	require.ErrorIs(t, err, stop)
	require.Len(t, got.Steps, 3)
	require.Len(t, f.rates, 3, "no load after the interruption")
}

func TestSearchFails(t *testing.T) {
	broken := errors.New("posts ended")
	got, err := Search(t.Context(), DefaultBounds(), (&fake{}).now, func(context.Context, float64) (Step, error) {
		return Step{}, broken
	})
	require.ErrorIs(t, err, broken)
	require.Nil(t, got.Holds)
}

func TestBoundsCheck(t *testing.T) {
	require.NoError(t, DefaultBounds().Check())
	for name, spoil := range map[string]func(*Bounds){
		"no_least": func(b *Bounds) { b.Least = 0 }, "start_below_least": func(b *Bounds) { b.Start = 1 },
		"most_below_start": func(b *Bounds) { b.Most = 100 }, "no_growth": func(b *Bounds) { b.Growth = 1 },
		"no_precision": func(b *Bounds) { b.Precision = 0 }, "no_steps": func(b *Bounds) { b.Steps = 0 },
		"no_time": func(b *Bounds) { b.Time = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			b := DefaultBounds()
			spoil(&b)
			require.Error(t, b.Check())
			_, err := Search(t.Context(), b, (&fake{}).now, (&fake{}).load)
			require.Error(t, err)
		})
	}
}
