package load

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	blogv1 "tandem/proto/blog/v1"
	"tandem/shared/rules"
)

func smallSize() WorldSize {
	return WorldSize{Posts: 2000, Comments: 3000, Authors: 50, Subscriptions: 2000}
}

func newTestWorld(t testing.TB, size WorldSize) *World {
	t.Helper()
	w, err := NewWorld(7, size)
	require.NoError(t, err)
	return w
}

func TestWorldFollowsFromItsSeed(t *testing.T) {
	first, again := newTestWorld(t, smallSize()), newTestWorld(t, smallSize())
	require.Equal(t, first.Hash(), again.Hash())
	other, err := NewWorld(8, smallSize())
	require.NoError(t, err)
	require.NotEqual(t, first.Hash(), other.Hash())
}

func TestWorldIsRefusedWithoutPosts(t *testing.T) {
	_, err := NewWorld(1, WorldSize{Authors: 1})
	require.ErrorContains(t, err, "at least 1 post")
}

func TestWorldTextsAreValid(t *testing.T) {
	w := newTestWorld(t, smallSize())
	id := uuid.NewString()
	for _, p := range w.Posts {
		require.NoError(t, rules.CheckCreatePost(&blogv1.CreatePostRequest{
			RequestId: id, Author: p.Author, Title: p.Title, Body: p.Body,
		}))
		require.GreaterOrEqual(t, len(p.Title), minTitle, p.Title)
		require.LessOrEqual(t, len(p.Title), maxTitle, p.Title)
		require.LessOrEqual(t, len(p.Body), maxPost)
		require.NotContains(t, strings.ToLower(p.Title+p.Body), BlockedWord)
	}
	for _, c := range w.Comments {
		require.NoError(t, rules.CheckCreateComment(&blogv1.CreateCommentRequest{
			RequestId: id, PostId: id, Author: c.Author, Body: c.Body,
		}))
		require.LessOrEqual(t, len(c.Body), maxComment)
	}
	for _, s := range w.Subscriptions {
		require.NoError(t, rules.CheckSubscribe(&blogv1.SubscribeRequest{RequestId: id, Author: s.Author, Follower: s.Follower}))
	}
}

func TestWorldLengthsHaveTheirMedians(t *testing.T) {
	w := newTestWorld(t, smallSize())
	var posts, comments []int
	for _, p := range w.Posts {
		posts = append(posts, len(p.Body))
	}
	for _, c := range w.Comments {
		comments = append(comments, len(c.Body))
	}
	slices.Sort(posts)
	slices.Sort(comments)
	require.InDelta(t, medianPost, posts[len(posts)/2], 0.1*medianPost)
	require.InDelta(t, medianComment, comments[len(comments)/2], 0.1*medianComment)
}

func TestBlockedWordStandsExactlyWhereItIsMeantTo(t *testing.T) {
	w := newTestWorld(t, smallSize())
	policy := rules.NewPolicy(rules.DefaultBlockedWords)
	blocked := 0
	for _, c := range w.Comments {
		require.Equal(t, c.Blocked, !policy.Review("", c.Body).GetApproved(), c.Body)
		require.Equal(t, c.Blocked, strings.Contains(strings.ToLower(c.Body), BlockedWord), c.Body)
		if c.Blocked {
			blocked++
		}
	}
	require.Equal(t, int(BlockedShare*float64(len(w.Comments))), blocked)
}

func TestReferencesAreUniqueAndFound(t *testing.T) {
	w := newTestWorld(t, smallSize())
	seen := map[string]bool{}
	note := func(ref, text string) {
		require.False(t, seen[ref], ref)
		seen[ref] = true
		require.Equal(t, ref, RefIn(text))
	}
	for _, p := range w.Posts {
		note(p.Ref, p.Title)
	}
	for _, c := range w.Comments {
		note(c.Ref, c.Body)
	}
	for _, p := range newTestSchedule(t, w, 3).Ops {
		if p.Ref != "" {
			note(p.Ref, p.Title+map[bool]string{true: p.Body}[p.Op == CreateComment])
		}
	}
}

func TestRefInTakesOnlyReferences(t *testing.T) {
	for text, want := range map[string]string{
		"Title [ref 1f3a9c0b2d]": "1f3a9c0b2d", " [ref 0000000000]": "0000000000",
		"": "", "short]": "", "Title [ref 1f3a9c0b2g]": "", "Title [ref 1f3a9c0b2d] ": "", "Title 1f3a9c0b2d]   xxxx": "",
	} {
		require.Equal(t, want, RefIn(text), text)
	}
}

func TestSubscriptionsHaveNoPairTwiceAndAHeavyTail(t *testing.T) {
	w := newTestWorld(t, smallSize())
	pairs, perAuthor := map[WorldSubscription]bool{}, map[string]int{}
	for _, s := range w.Subscriptions {
		pairs[s] = true
		perAuthor[s.Author]++
	}
	require.Len(t, pairs, w.Size.Subscriptions)
	require.Greater(t, perAuthor[w.Authors[0]], 5*perAuthor[w.Authors[len(w.Authors)-1]])
}

func newTestSchedule(t testing.TB, w *World, seed uint64) *Schedule {
	t.Helper()
	s, err := NewSchedule(ScheduleConfig{World: w, Seed: seed, Rate: 500, Length: 60 * time.Second})
	require.NoError(t, err)
	return s
}

func TestScheduleFollowsFromItsSeed(t *testing.T) {
	w := newTestWorld(t, smallSize())
	first := newTestSchedule(t, w, 3)
	require.Equal(t, first, newTestSchedule(t, newTestWorld(t, smallSize()), 3))
	require.Equal(t, first.Hash(), newTestSchedule(t, w, 3).Hash())
	require.NotEqual(t, first.Hash(), newTestSchedule(t, w, 4).Hash())
}

func TestScheduleHashSeesEveryChange(t *testing.T) {
	s := newTestSchedule(t, newTestWorld(t, smallSize()), 3)
	before := s.Hash()
	s.Ops[17].At++
	require.NotEqual(t, before, s.Hash())
	s.Ops[17].At--
	require.Equal(t, before, s.Hash())
	s.Ops[17].Client++
	require.NotEqual(t, before, s.Hash())
	s.Ops[17].Client--
	s.Ops[17].Witness = true
	require.NotEqual(t, before, s.Hash())
	s.Ops[17].Witness = false
	s.world = "another"
	require.NotEqual(t, before, s.Hash())
}

func TestClientsShareTheLoad(t *testing.T) {
	w := newTestWorld(t, smallSize())
	for name, c := range map[string]struct{ asked, want int }{"default": {0, DefaultClients}, "one": {1, 1}, "seven": {7, 7}} {
		t.Run(name, func(t *testing.T) {
			s := newSchedule(t, ScheduleConfig{World: w, Seed: 3, Rate: 500, Length: 60 * time.Second, Clients: c.asked})
			counts := make([]float64, c.want) // an index outside fails
			for _, p := range s.Ops {
				counts[p.Client]++
			}
			mean := float64(len(s.Ops)) / float64(c.want)
			for client, n := range counts {
				require.InDelta(t, mean, n, 5*math.Sqrt(mean), client)
			}
		})
	}
}

func TestWitnessSample(t *testing.T) {
	w := newTestWorld(t, smallSize())
	for name, share := range map[string]float64{"none": 0, "a_tenth": 0.1, "all": 1} {
		t.Run(name, func(t *testing.T) {
			s := newSchedule(t, ScheduleConfig{World: w, Seed: 3, Rate: 500, Length: 60 * time.Second, Witness: share})
			chosen, possible := 0.0, 0.0
			for _, p := range s.Ops {
				can := p.Op == CreatePost || p.Op == UpdatePost || p.Op == DeletePost || p.Op == CreateComment
				require.True(t, can || !p.Witness, p)
				if can {
					possible++
				}
				if p.Witness {
					chosen++
				}
			}
			require.InDelta(t, share*possible, chosen, 5*math.Sqrt(possible*share*(1-share)))
		})
	}
}

// TestClientsLeaveTheRestAlone: a choice has its own stream of random numbers.
func TestClientsLeaveTheRestAlone(t *testing.T) {
	w := newTestWorld(t, smallSize())
	few, many := newTestSchedule(t, w, 3), newSchedule(t, ScheduleConfig{World: w, Seed: 3, Rate: 500, Length: 60 * time.Second, Clients: 999})
	for i := range few.Ops {
		many.Ops[i].Client = few.Ops[i].Client
	}
	require.Equal(t, few.Ops, many.Ops)
}

func TestScheduleHasTheSharesOfTheMix(t *testing.T) {
	s := newTestSchedule(t, newTestWorld(t, smallSize()), 3)
	counts := map[string]float64{}
	for _, p := range s.Ops {
		counts[p.Op]++
	}
	writes := 0.0
	for _, share := range DefaultMix() {
		want := share.Share / 500 * float64(len(s.Ops))
		require.InDelta(t, want, counts[share.Op], 4*math.Sqrt(want), share.Op) // four standard deviations
		if isWrite(share.Op) {
			writes += share.Share
		}
	}
	require.EqualValues(t, 45, writes)
}

func TestArrivalsHaveTheRate(t *testing.T) {
	w := newTestWorld(t, smallSize())
	for _, kind := range []Arrivals{Poisson, Constant} {
		t.Run(string(kind), func(t *testing.T) {
			s, err := NewSchedule(ScheduleConfig{World: w, Seed: 5, Rate: 500, Length: 60 * time.Second, Arrivals: kind})
			require.NoError(t, err)
			require.InDelta(t, 30_000, len(s.Ops), 4*math.Sqrt(30_000))
			var squares float64
			for i := 1; i < len(s.Ops); i++ {
				gap := (s.Ops[i].At - s.Ops[i-1].At).Seconds() * 500
				squares += (gap - 1) * (gap - 1)
			}
			// The variance of exponential gaps is the square of their mean; constant gaps have none.
			require.InDelta(t, map[Arrivals]float64{Poisson: 1, Constant: 0}[kind], squares/float64(len(s.Ops)), 0.1)
		})
	}
}

// TestPopularityFollowsZipf holds the draws against the law itself.
// TestBurstsMultiplyTheRate: in a burst and nowhere else, and what comes before it stays as it was.
func TestBurstsMultiplyTheRate(t *testing.T) {
	for _, spread := range []Arrivals{Poisson, Constant} {
		t.Run(string(spread), func(t *testing.T) {
			cfg := ScheduleConfig{Rate: 1000, Length: 40 * time.Second, Arrivals: spread, Seed: 3}
			calm, err := arrivals(cfg)
			require.NoError(t, err)
			cfg.Bursts = []Burst{{10 * time.Second, 15 * time.Second, 4}, {20 * time.Second, 21 * time.Second, 8}, {39 * time.Second, time.Minute, 2}}
			times, err := arrivals(cfg)
			require.NoError(t, err)
			require.True(t, slices.IsSorted(times))
			for _, part := range []struct{ from, until, want float64 }{{0, 10, 10_000}, {10, 15, 20_000}, {15, 20, 5000}, {20, 21, 8000}, {21, 39, 18_000}, {39, 40, 2000}} {
				n := len(within(times, seconds(part.from), seconds(part.until)))
				require.InDelta(t, part.want, n, 5*math.Sqrt(part.want), "from %g to %g s", part.from, part.until)
			}
			before := within(calm, 0, 10*time.Second)
			require.Equal(t, before, times[:len(before)])
		})
	}
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

func within(times []time.Duration, from, until time.Duration) (inside []time.Duration) {
	for _, t := range times {
		if t >= from && t < until {
			inside = append(inside, t)
		}
	}
	return inside
}

func TestPopularityFollowsZipf(t *testing.T) {
	const n, draws, shift = 50, 200_000, 5
	for name, exponent := range map[string]float64{"uniform": 0, "ycsb": 0.99, "default": ZipfExponent, "steep": 3} {
		t.Run(name, func(t *testing.T) {
			z := newZipf(newRand(1, 2), exponent, shift, n)
			counts, sum := make([]float64, n), 0.0
			for range draws {
				counts[z.next()]++
			}
			for k := range n {
				sum += math.Pow(float64(k+shift), -exponent)
			}
			for k, got := range counts {
				want := draws * math.Pow(float64(k+shift), -exponent) / sum
				require.InDelta(t, want, got, 5*math.Sqrt(want)+1, k)
			}
		})
	}
}

// TestZipfIsOfTheLoad: the steeper it is, the more reads the first post gets; the world stays the same.
func TestZipfIsOfTheLoad(t *testing.T) {
	w := newTestWorld(t, smallSize())
	first := func(exponent float64) (n int) {
		cfg := ScheduleConfig{World: w, Seed: 3, Rate: 500, Length: 20 * time.Second, Zipf: &exponent, Mix: []Share{{GetPost, 1}}}
		for _, p := range newSchedule(t, cfg).Ops {
			if p.Post == w.byRank[0] {
				n++
			}
		}
		return n
	}
	require.Less(t, first(0), 20)
	require.Greater(t, first(ZipfExponent), 100)
	require.Greater(t, first(3), 1000)
}

func TestDrawFromPassesOverEmptyShares(t *testing.T) {
	counts := make([]int, 5)
	r := newRand(1, 1)
	for range 1000 {
		counts[drawFrom(r, []float64{0, 1, 1, 3, 3})]++
	}
	require.Zero(t, counts[0]+counts[2]+counts[4], counts)
	require.InDelta(t, 2, float64(counts[3])/float64(counts[1]), 0.5)
}

func TestReservedPostsAreTouchedByNothingElse(t *testing.T) {
	w := newTestWorld(t, smallSize())
	s := newTestSchedule(t, w, 3)
	deleted := map[int]bool{}
	for _, p := range s.Ops {
		if p.Op == DeletePost {
			require.False(t, deleted[p.Post])
			deleted[p.Post] = true
		}
	}
	require.NotEmpty(t, deleted)
	for _, p := range s.Ops {
		if p.Op != DeletePost {
			require.False(t, p.Post >= 0 && deleted[p.Post], p)
			require.False(t, p.Comment >= 0 && deleted[w.Comments[p.Comment].Post], p)
		}
	}
}

func TestSubscriptionPairsOfTheLoadAreDistinct(t *testing.T) {
	w := newTestWorld(t, smallSize())
	existing, used, ids := map[WorldSubscription]bool{}, map[WorldSubscription]bool{}, map[string]bool{}
	for _, pair := range w.Subscriptions {
		existing[pair] = true
	}
	for _, p := range newTestSchedule(t, w, 3).Ops {
		if isWrite(p.Op) {
			require.Equal(t, uuid.Version(4), uuid.MustParse(p.RequestID).Version())
			require.Equal(t, uuid.RFC4122, uuid.MustParse(p.RequestID).Variant())
			require.False(t, ids[p.RequestID])
			ids[p.RequestID] = true
		}
		if p.Op == Subscribe || p.Op == Unsubscribe {
			pair := WorldSubscription{Author: p.Author, Follower: p.Follower}
			require.Equal(t, p.Op == Unsubscribe, existing[pair])
			require.False(t, used[pair])
			used[pair] = true
		}
	}
}

func TestUpdatesKeepTheReferenceOfTheirPost(t *testing.T) {
	w := newTestWorld(t, smallSize())
	for _, p := range newTestSchedule(t, w, 3).Ops {
		if p.Op == UpdatePost {
			require.Equal(t, w.Posts[p.Post].Ref, RefIn(p.Title))
		}
	}
}

func TestScheduleIsRefused(t *testing.T) {
	w := newTestWorld(t, WorldSize{Posts: 5, Comments: 0, Authors: 1, Subscriptions: 1})
	tests := map[string]struct {
		cfg  ScheduleConfig
		want string
	}{
		"no rate":                 {ScheduleConfig{Length: time.Second}, "above 0"},
		"no length":               {ScheduleConfig{Rate: 1}, "above 0"},
		"unknown arrivals":        {ScheduleConfig{Rate: 1, Length: time.Second, Arrivals: "burst"}, "poisson or constant"},
		"unknown operation":       {ScheduleConfig{Rate: 1, Length: time.Second, Mix: []Share{{"Frob", 1}}}, "Frob"},
		"no share":                {ScheduleConfig{Rate: 1, Length: time.Second, Mix: []Share{{GetPost, 0}}}, "sum above 0"},
		"no clients":              {ScheduleConfig{Rate: 1, Length: time.Second, Clients: -1}, "use at least 1"},
		"zipf below 0":            {ScheduleConfig{Rate: 1, Length: time.Second, Zipf: new(-1.0)}, "zipf -1: use 0, for all alike, to 10"},
		"zipf no number":          {ScheduleConfig{Rate: 1, Length: time.Second, Zipf: new(math.NaN())}, "zipf NaN"},
		"more than all witnessed": {ScheduleConfig{Rate: 1, Length: time.Second, Witness: 1.5}, "use 0 to 1"},
		"no number to witness":    {ScheduleConfig{Rate: 1, Length: time.Second, Witness: math.NaN()}, "use 0 to 1"},
		"more deletes than posts": {ScheduleConfig{Rate: 100, Length: time.Second, Mix: []Share{{DeletePost, 1}}}, "deletes"},
		"more unsubscribes":       {ScheduleConfig{Rate: 100, Length: time.Second, Mix: []Share{{Unsubscribe, 1}}}, "ends"},
		"no comments to read":     {ScheduleConfig{Rate: 100, Length: time.Second, Mix: []Share{{GetComment, 1}}}, "none to read"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.cfg.World = w
			_, err := NewSchedule(test.cfg)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func BenchmarkWorld(b *testing.B) {
	for b.Loop() {
		_, err := NewWorld(7, DefaultWorldSize())
		require.NoError(b, err)
	}
}

func BenchmarkSchedule(b *testing.B) {
	w := newTestWorld(b, DefaultWorldSize())
	for b.Loop() {
		newTestSchedule(b, w, 7)
	}
}

// TestALoadAfterAnother demands that nothing of a load fails, or has nothing to do, because of what loads before it did.
func TestALoadAfterAnother(t *testing.T) {
	w := newTestWorld(t, smallSize())
	mix := []Share{{DeletePost, 2}, {Unsubscribe, 2}, {Subscribe, 1}, {CreatePost, 1}, {CreateComment, 1}, {GetPost, 2}, {GetComment, 1}}
	deleted, once := map[int]bool{}, map[string]bool{}
	var before *Schedule
	for seed := range uint64(4) {
		s := newSchedule(t, ScheduleConfig{World: w, Seed: seed, Rate: 1000, Length: time.Second, Mix: mix, After: before})
		for _, p := range s.Ops {
			if p.Post >= 0 {
				require.False(t, deleted[p.Post], "%s of a post that an earlier load has deleted", p.Op)
			}
			if p.Comment >= 0 {
				require.False(t, deleted[w.Comments[p.Comment].Post], "%s of a comment on such a post", p.Op)
			}
			for _, name := range []string{p.Ref, pairOf(p), p.RequestID} {
				require.False(t, name != "" && once[name], "%s %s again", p.Op, name)
				once[name] = true
			}
		}
		for _, p := range s.Ops {
			if p.Op == DeletePost {
				deleted[p.Post] = true
			}
		}
		before = s
	}
	require.NotEmpty(t, deleted)
	_, err := NewSchedule(ScheduleConfig{World: w, Seed: 9, Rate: 1500, Length: time.Second, Mix: []Share{{DeletePost, 1}}, After: before})
	require.ErrorContains(t, err, "make the world larger")
}

func pairOf(p Planned) string {
	if p.Op == Subscribe || p.Op == Unsubscribe {
		return p.Op + " " + p.Author + " " + p.Follower
	}
	return ""
}
