package load

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Share is the part that one operation has in the load, relative to the other shares.
type Share struct {
	Op    string  `json:"op" yaml:"op"`
	Share float64 `json:"share" yaml:"share"`
}

// DefaultMix reads ten times for each write. Its shares are operations per second at 500 a second.
func DefaultMix() []Share {
	return []Share{
		{GetPostPage, 180}, {ListFeed, 90}, {GetAuthorPage, 55}, {GetPost, 45}, {ListComments, 30},
		{GetSubscriberCount, 30}, {ListPosts, 10}, {GetComment, 10}, {GetVerdict, 5},
		{CreateComment, 18}, {Subscribe, 8}, {CreatePost, 7}, {UpdatePost, 5}, {Unsubscribe, 4}, {DeletePost, 3},
	}
}

// Arrivals is how operations are spread over time.
type Arrivals string

// The arrivals. Poisson is what many users who do not know of each other make.
const (
	Poisson  Arrivals = "poisson"
	Constant Arrivals = "constant"
)

// Burst is a time in which the load is heavier than its rate.
type Burst struct {
	From, Until time.Duration // from the start of the load
	Factor      float64       // what the rate is multiplied by, above 0
}

// DefaultClients is how many sessions the operations are spread over unless told otherwise.
const DefaultClients = 64

// maxZipf bounds the exponent of popularity: with 10, the first of all gets one half of everything.
const maxZipf = 10

// CheckZipf returns what is wrong with an exponent of popularity, or nil.
func CheckZipf(exponent float64) error {
	if !(exponent >= 0 && exponent <= maxZipf) { // NaN too
		return fmt.Errorf("zipf %v: use 0, for all alike, to %d", exponent, maxZipf)
	}
	return nil
}

// CheckArrivals returns what is wrong with arrivals, or nil.
func CheckArrivals(a Arrivals) error {
	if a != Poisson && a != Constant {
		return fmt.Errorf("arrivals %q: use %s or %s", a, Poisson, Constant)
	}
	return nil
}

// ScheduleConfig says what a schedule is made from. Arrivals, Mix, Zipf and Clients may be left empty for their defaults.
type ScheduleConfig struct {
	World    *World
	Seed     uint64
	Rate     float64 // operations per second
	Length   time.Duration
	Arrivals Arrivals // default Poisson
	Mix      []Share  // default DefaultMix
	Zipf     *float64 // how steep the popularity of posts and authors is; nil for ZipfExponent, 0 for all alike
	Clients  int      // sessions; default DefaultClients
	Witness  float64  // share of the writes whose showing is to be witnessed, from 0 to 1
	Bursts   []Burst  // in the order of From, without overlap
	// After is the load before this one on the same stack, with those before it; nil for none. What it has deleted or ended is not
	// touched again, and what it has created not created again. Its seed must be another one.
	After *Schedule
}

// Planned is one operation of a schedule. What exists before the load is named by its index in the world, -1 for none: its
// ids are known only once it is stored.
type Planned struct {
	Index     int64         `json:"index"`
	At        time.Duration `json:"at_ns"` // from the start of the load
	Op        string        `json:"op"`
	Client    int           `json:"client"`     // whose operation it is: a session, from 0
	RequestID string        `json:"request_id"` // of a write
	Post      int           `json:"post"`
	Comment   int           `json:"comment"`
	Author    string        `json:"author"`
	Follower  string        `json:"follower"`
	Title     string        `json:"title"`
	Body      string        `json:"body"`
	Ref       string        `json:"ref"`     // of CreatePost and CreateComment
	Blocked   bool          `json:"blocked"` // of CreateComment: the body holds BlockedWord
	Witness   bool          `json:"witness"` // it is in the sample whose showing is witnessed
}

// Schedule is all operations of a load with their intended times, complete before the first is sent.
type Schedule struct {
	Ops    []Planned // in the order of At
	Rate   float64
	Length time.Duration

	seed  uint64
	world string // hash

	used used // by this load, and those before it
}

// used is what loads on one stack leave for none after them.
type used struct {
	deleted []int // posts of the world
	ended   []int // subscriptions of the world
	fresh   int   // followers and references
}

// NewSchedule makes the schedule of a seed. It is an error if the world is too small for it; the text says what to change.
func NewSchedule(cfg ScheduleConfig) (*Schedule, error) {
	if cfg.Arrivals == "" {
		cfg.Arrivals = Poisson
	}
	if len(cfg.Mix) == 0 {
		cfg.Mix = DefaultMix()
	}
	if cfg.Zipf == nil {
		cfg.Zipf = new(ZipfExponent)
	}
	if cfg.Clients == 0 {
		cfg.Clients = DefaultClients
	}
	times, err := arrivals(cfg)
	if err = errors.Join(err, CheckZipf(*cfg.Zipf)); err != nil {
		return nil, err
	}
	s := &Schedule{Rate: cfg.Rate, Length: cfg.Length, seed: cfg.Seed, world: cfg.World.Hash()}
	if cfg.After != nil {
		s.used = cfg.After.used
	}
	if s.Ops, err = drawOps(cfg, times); err != nil {
		return nil, err
	}
	if err := s.assign(cfg.Clients); err != nil {
		return nil, err
	}
	if err := s.sample(cfg.Witness); err != nil {
		return nil, err
	}
	return s, s.aim(cfg.World, *cfg.Zipf)
}

// arrivals returns the intended times of the operations.
func arrivals(cfg ScheduleConfig) ([]time.Duration, error) {
	if cfg.Rate <= 0 || cfg.Length <= 0 {
		return nil, fmt.Errorf("rate %v/s for %v: both must be above 0", cfg.Rate, cfg.Length)
	}
	if err := CheckArrivals(cfg.Arrivals); err != nil {
		return nil, err
	}
	gap := func() float64 { return 1 } // in units of the mean gap
	if cfg.Arrivals == Poisson {
		gap = newRand(cfg.Seed, streamArrivals).ExpFloat64
	}
	times := make([]time.Duration, 0, int(cfg.Rate*cfg.Length.Seconds()))
	for sum := gap(); ; sum += gap() {
		t := cfg.when(sum)
		if t >= cfg.Length {
			return times, nil
		}
		times = append(times, t)
	}
}

// when is the time by which so many operations are due. In a burst they are due at Factor times the rate: a Poisson process whose time
// runs faster is one of a higher rate.
func (cfg ScheduleConfig) when(operations float64) time.Duration {
	t := operations * float64(time.Second) / cfg.Rate
	for _, b := range cfg.Bursts {
		over := t - float64(b.From)
		if over <= 0 {
			break
		}
		length := float64(b.Until - b.From)
		if over <= b.Factor*length {
			return b.From + time.Duration(over/b.Factor)
		}
		t -= (b.Factor - 1) * length
	}
	return time.Duration(t)
}

// drawOps gives each arrival an operation by the shares of the mix.
func drawOps(cfg ScheduleConfig, times []time.Duration) ([]Planned, error) {
	if err := CheckMix(cfg.Mix); err != nil {
		return nil, err
	}
	bounds, total := make([]float64, len(cfg.Mix)), 0.0
	for i, share := range cfg.Mix {
		total += share.Share
		bounds[i] = total
	}
	r := newRand(cfg.Seed, streamMix)
	ops := make([]Planned, len(times))
	for i, at := range times {
		ops[i] = Planned{Index: int64(i), At: at, Op: cfg.Mix[drawFrom(r, bounds)].Op, Post: -1, Comment: -1}
	}
	return ops, nil
}

// assign spreads the operations over n clients. The load is an open loop, so a client may have several operations under way.
func (s *Schedule) assign(n int) error {
	if n < 1 {
		return fmt.Errorf("%d clients: use at least 1", n)
	}
	r := newRand(s.seed, streamClients)
	for i := range s.Ops {
		s.Ops[i].Client = r.IntN(n)
	}
	return nil
}

// sample chooses the writes that a Witness looks for.
func (s *Schedule) sample(share float64) error {
	if !(share >= 0 && share <= 1) { // NaN too
		return fmt.Errorf("a share of %v of the writes to witness: use 0 to 1", share)
	}
	r := newRand(s.seed, streamWitness)
	for i := range s.Ops {
		chosen := r.Float64() < share
		switch s.Ops[i].Op {
		case CreatePost, UpdatePost, DeletePost, CreateComment:
			s.Ops[i].Witness = chosen
		}
	}
	return nil
}

// aimer chooses what operations are about.
type aimer struct {
	world    *World
	r        *rand.Rand
	posts    []int // that are not reserved, most popular first
	comments []int // on those posts
	reserved []int // for DeletePost, each once
	pairs    []int // subscriptions for Unsubscribe, each once
	blocked  []bool
	byPost   *zipf
	byAuthor *zipf
	used     used
}

// needs says for each operation how to fill it in.
func needs() map[string]func(*aimer, *Planned) {
	post := func(a *aimer, p *Planned) { p.Post = a.post() }
	comment := func(a *aimer, p *Planned) { p.Comment = a.comments[a.r.IntN(len(a.comments))] }
	author := func(a *aimer, p *Planned) { p.Author = a.author() }
	nothing := func(*aimer, *Planned) {}
	return map[string]func(*aimer, *Planned){
		GetPostPage: post, GetPost: post, ListComments: post,
		GetComment: comment, GetVerdict: comment,
		GetAuthorPage: author, GetSubscriberCount: author,
		ListFeed: nothing, ListPosts: nothing,
		CreatePost: (*aimer).createPost, UpdatePost: (*aimer).updatePost, DeletePost: (*aimer).deletePost,
		CreateComment: (*aimer).createComment, Subscribe: (*aimer).subscribe, Unsubscribe: (*aimer).unsubscribe,
	}
}

// aim fills in what each operation is about.
func (s *Schedule) aim(w *World, steepness float64) error {
	a, err := newAimer(w, s, steepness)
	if err != nil {
		return err
	}
	ids := newRand(s.seed, streamRequestIDs)
	fill := needs()
	for i := range s.Ops {
		p := &s.Ops[i]
		fill[p.Op](a, p)
		if isWrite(p.Op) {
			p.RequestID = requestID(ids)
		}
	}
	s.used = a.used
	return nil
}

func newAimer(w *World, s *Schedule, steepness float64) (*aimer, error) {
	counts := map[string]int{}
	for i := range s.Ops {
		counts[s.Ops[i].Op]++
	}
	if n := counts[DeletePost] + len(s.used.deleted); n >= w.Size.Posts {
		return nil, fmt.Errorf("the load deletes %d posts and the world has %d: make the world larger or the load shorter",
			n, w.Size.Posts)
	}
	if n := counts[Unsubscribe] + len(s.used.ended); n > w.Size.Subscriptions {
		return nil, fmt.Errorf("the load ends %d subscriptions and the world has %d: make the world larger or the load shorter",
			n, w.Size.Subscriptions)
	}
	r := newRand(s.seed, streamTargets)
	a := &aimer{world: w, r: r, blocked: exactly(r, counts[CreateComment], BlockedShare), used: s.used}
	a.reserve(newRand(s.seed, streamReserve), counts[DeletePost])
	if len(a.comments) == 0 && counts[GetComment]+counts[GetVerdict] > 0 {
		return nil, errors.New("the load reads comments and the world has none to read: make the world larger")
	}
	a.pairs = without(r.Perm(w.Size.Subscriptions), s.used.ended)
	a.used.ended = slices.Concat(s.used.ended, a.pairs[:counts[Unsubscribe]])
	a.byPost = newZipf(r, steepness, zipfShiftPosts, len(a.posts))
	a.byAuthor = newZipf(r, steepness, zipfShiftAuthors, w.Size.Authors)
	return a, nil
}

// reserve sets n posts apart for deletion. Nothing else of the load touches them or their comments, so that no operation
// fails because another was faster; nor what loads before this one have deleted.
func (a *aimer) reserve(r *rand.Rand, n int) {
	a.reserved = without(r.Perm(a.world.Size.Posts), a.used.deleted)[:n]
	a.used.deleted = slices.Concat(a.used.deleted, a.reserved)
	apart := make([]bool, a.world.Size.Posts)
	for _, post := range a.used.deleted {
		apart[post] = true
	}
	for _, post := range a.world.byRank {
		if !apart[post] {
			a.posts = append(a.posts, post)
		}
	}
	for i := range a.world.Comments {
		if !apart[a.world.Comments[i].Post] {
			a.comments = append(a.comments, i)
		}
	}
}

// without returns the numbers, all below their count, that are not among those left out, in their order.
func without(numbers, out []int) []int {
	left := make([]bool, len(numbers))
	for _, n := range out {
		left[n] = true
	}
	return slices.DeleteFunc(numbers, func(n int) bool { return left[n] })
}

func (a *aimer) post() int      { return a.posts[a.byPost.next()] }
func (a *aimer) author() string { return a.world.Authors[a.byAuthor.next()] }

func (a *aimer) createPost(p *Planned) {
	p.Author, p.Ref = a.author(), a.freshRef()
	p.Title, p.Body = a.world.texts.title(a.r, p.Ref), a.world.texts.post(a.r)
}

// updatePost keeps the reference of the post in its new title: what is found by it stays the same post.
func (a *aimer) updatePost(p *Planned) {
	p.Post = a.post()
	p.Title, p.Body = a.world.texts.title(a.r, a.world.Posts[p.Post].Ref), a.world.texts.post(a.r)
}

func (a *aimer) deletePost(p *Planned) { p.Post, a.reserved = a.reserved[0], a.reserved[1:] }

func (a *aimer) createComment(p *Planned) {
	p.Post, p.Author, p.Ref = a.post(), pick(a.r, a.world.Followers), a.freshRef()
	p.Blocked, a.blocked = a.blocked[0], a.blocked[1:]
	p.Body = a.world.texts.comment(a.r, p.Ref, p.Blocked)
}

func (a *aimer) subscribe(p *Planned) {
	p.Author, p.Follower = a.author(), a.world.freshFollower(a.used.fresh)
	a.used.fresh++
}

func (a *aimer) unsubscribe(p *Planned) {
	pair := a.world.Subscriptions[a.pairs[0]]
	p.Author, p.Follower, a.pairs = pair.Author, pair.Follower, a.pairs[1:]
}

func (a *aimer) freshRef() string {
	a.used.fresh++
	return a.world.freshRef(a.used.fresh)
}

// Hash is the SHA-256 of the world and of every operation with its intended time, in hex: two runs with the same hash did
// the same work at the same times from the same start.
func (s *Schedule) Hash() string {
	h := sha256.New()
	// Encoding plain structs into a hash cannot fail.
	_ = json.NewEncoder(h).Encode([]any{s.world, s.Rate, s.Length, s.Ops})
	return hex.EncodeToString(h.Sum(nil))
}
