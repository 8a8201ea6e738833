package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"tandem/bench/cluster"
	"tandem/bench/expect"
	"tandem/bench/fault"
	"tandem/bench/load"
	"tandem/shared/mutant"
)

// Scenario is an experiment that teaches something, and what is expected of it.
type Scenario struct {
	Name     string // for the command line: lower case and hyphens
	Title    string
	Question string // what a class is asked before the run
	Lesson   string // what it has seen after it
	Plan     Plan
	Variants []Variant // at least one

	expected map[string][]expect.Expectation // by "sync", "async" or "<stack> at <level>", of async also "async at <acks>" or "<mistake>"
}

// Variant is the protection that the stacks run with. A stack that has run with all of its own already has no part in it.
type Variant struct {
	Sync  string // level; "" if sync does not run
	Async string // level; "" if async does not run
	Acks  string // of async
	// Mistake is the one that async makes, of shared/mutant; cluster.NoMistake beside it; empty in a scenario that is about none.
	Mistake string
	// Zipf is how steep the popularity of posts and authors is, of a scenario that names several; nil if it does not.
	Zipf *float64
}

// Plan is a scenario's plan in the variant.
func (v Variant) Plan(p Plan) Plan {
	if v.Zipf != nil {
		p.Zipf = *v.Zipf
	}
	return p
}

// zipfWord is how a table and the expectations name a popularity.
func zipfWord(zipf float64) string { return fmt.Sprintf("zipf %g", zipf) }

// String names the variant, for a table.
func (v Variant) String() string {
	var parts []string
	if v.Sync != "" {
		parts = append(parts, "sync "+v.Sync)
	}
	if v.Async != "" {
		parts = append(parts, "async "+v.Async, "acks "+v.Acks)
	}
	if v.Mistake != "" {
		parts = append(parts, "mistake "+v.Mistake)
	}
	if v.Zipf != nil {
		parts = append(parts, zipfWord(*v.Zipf))
	}
	return strings.Join(parts, ", ")
}

// Stacks are those that run.
func (v Variant) Stacks() (stacks []string) {
	for _, stack := range []string{cluster.Sync, cluster.Async} {
		if v.level(stack) != "" {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// level is that of one stack.
func (v Variant) level(stack string) string {
	if stack == cluster.Sync {
		return v.Sync
	}
	return v.Async
}

// Expected returns what is expected of a stack in a variant. Unless something else is expected of its verdict, that must be valid.
func (s *Scenario) Expected(stack string, v Variant) []expect.Expectation {
	all := append(slices.Clone(s.expected[stack]), s.expected[stack+" at "+v.level(stack)]...)
	if stack == cluster.Async {
		all = append(all, s.expected[stack+" at "+v.Acks]...)
		if v.Mistake != "" {
			all = append(all, s.expected[stack+" at "+v.Mistake]...)
		}
	}
	if v.Zipf != nil {
		all = append(all, s.expected[stack+" at "+zipfWord(*v.Zipf)]...)
	}
	if slices.ContainsFunc(all, func(e expect.Expectation) bool { return e.Figure() == "verdict" }) {
		return all
	}
	valid, _ := expect.Parse("verdict = valid") // it is one, as a test shows
	return append(all, valid)
}

// file is a scenario as it is written.
type file struct {
	Name     string `yaml:"name"`
	Title    string `yaml:"title"`
	Question string `yaml:"question"`
	Lesson   string `yaml:"lesson"`
	Load     struct {
		Seed     uint64        `yaml:"seed"`
		Rate     float64       `yaml:"rate"`              // operations per second
		Share    float64       `yaml:"share_of_capacity"` // of what is carried of the operation Of a second, in place of rate
		Of       string        `yaml:"of"`
		Arrivals load.Arrivals `yaml:"arrivals"` // poisson or constant
		Zipf     numbers       `yaml:"zipf"`     // how steep popularity is; 0: all alike
		Mix      []load.Share  `yaml:"mix"`      // a list of op and share
		Clients  int           `yaml:"clients"`
		Deadline time.Duration `yaml:"deadline"`
		Retries  int           `yaml:"retries"`           // of a write that ends UNAVAILABLE
		Steady   time.Duration `yaml:"steady"`            // before the first step
		Waits    bool          `yaml:"wait_for_position"` // clients ask for pages that show what they wrote
		World    struct {
			Posts         int `yaml:"posts"`
			Comments      int `yaml:"comments"`
			Authors       int `yaml:"authors"`
			Subscriptions int `yaml:"subscriptions"`
		} `yaml:"world"`
	} `yaml:"load"`
	// Topology is how a stack is built otherwise than usual.
	Topology struct {
		Narrow []Narrow `yaml:"narrow"`
		// RequestReply has async's comments wait for the verdict before they answer.
		RequestReply bool `yaml:"request_reply"`
		// Mistake is which mistakes async makes, one in each variant, after none. All variants run on programs that were built for tests.
		Mistake words `yaml:"mistake"`
	} `yaml:"topology"`
	Levels struct {
		Sync  words `yaml:"sync"`
		Async words `yaml:"async"`
		Acks  words `yaml:"acks"`
	} `yaml:"levels"`
	Steps []struct {
		Fault  fault.Spec    `yaml:"fault"`
		Before time.Duration `yaml:"before"`
		For    time.Duration `yaml:"for"`
		After  time.Duration `yaml:"after"`
	} `yaml:"steps"`
	Expect map[string][]string `yaml:"expect"`
}

// words is one word or several: several make a variant each.
type words []string

// UnmarshalYAML implements yaml.Unmarshaler.
func (w *words) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*w = words{node.Value}
		return nil
	}
	return node.Decode((*[]string)(w))
}

// numbers is one number or several: several make a variant each.
type numbers []float64

// UnmarshalYAML implements yaml.Unmarshaler.
func (n *numbers) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.ScalarNode {
		return node.Decode((*[]float64)(n))
	}
	var one float64
	if err := node.Decode(&one); err != nil {
		return err
	}
	*n = numbers{one}
	return nil
}

// largest is how many bytes a scenario may have.
const largest = 64 << 10

// Parse reads a scenario. path names it in errors, which say in which line something is wrong. Unknown keys are errors.
func Parse(path string, text []byte) (*Scenario, error) {
	if len(text) > largest {
		return nil, fmt.Errorf("%s: %d bytes are no scenario: use at most %d", path, len(text), largest)
	}
	f := defaults()
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(f); err != nil {
		return nil, located(path, err)
	}
	if err := dec.Decode(new(file)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: more than one document: put each scenario into a file of its own", path)
	}
	r := &reader{path: path, file: f}
	if err := yaml.Unmarshal(text, &r.root); err != nil {
		return nil, located(path, err)
	}
	return r.scenario()
}

// defaults are small, so that a lesson is over soon.
func defaults() *file {
	f := &file{}
	f.Load.Seed, f.Load.Rate, f.Load.Clients = 1, 300, load.DefaultClients
	f.Load.Deadline, f.Load.Steady = time.Second, 4*time.Second
	f.Load.Arrivals, f.Load.Zipf, f.Load.Mix = load.Poisson, numbers{load.ZipfExponent}, load.DefaultMix()
	w := &f.Load.World
	w.Posts, w.Comments, w.Authors, w.Subscriptions = 1000, 2000, 100, 1000
	f.Levels.Sync, f.Levels.Async, f.Levels.Acks = words{"deadline"}, words{"dead-letter"}, words{"all"}
	return f
}

var (
	unknownKey = regexp.MustCompile(`line (\d+): field (\S+) not found in type \S+`)
	inLine     = regexp.MustCompile(`line (\d+): `)
)

// located turns what the YAML library says into path:line: what is wrong.
func located(path string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:\n")
	var lines []string
	for line := range strings.Lines(text) {
		line = unknownKey.ReplaceAllString(strings.TrimSpace(line), "line $1: unknown key $2: see `tandem scenario show leaf-down` for those there are")
		if m := inLine.FindStringSubmatch(line); m != nil {
			line = fmt.Sprintf("%s:%s: %s", path, m[1], strings.Replace(line, m[0], "", 1))
		} else {
			line = path + ": " + line
		}
		lines = append(lines, line)
	}
	return errors.New(strings.Join(lines, "\n"))
}

// reader makes a scenario of a file that has the right form.
type reader struct {
	path string
	file *file
	root yaml.Node
	errs []error
}

// wrong notes what is wrong at a place in the file, given by keys and indices.
func (r *reader) wrong(err error, at ...any) {
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("%s:%d: %w", r.path, lineOf(&r.root, at), err))
	}
}

// lineOf is the line of what stands at a place, or of the last part of the way that is there.
func lineOf(node *yaml.Node, at []any) int {
	line := max(1, node.Line)
	for _, step := range at {
		if node = below(node, step); node == nil {
			return line
		}
		line = node.Line
	}
	return line
}

func below(node *yaml.Node, step any) *yaml.Node {
	if node.Kind == yaml.DocumentNode && len(node.Content) > 0 {
		node = node.Content[0]
	}
	switch step := step.(type) {
	case int:
		if node.Kind == yaml.SequenceNode && step < len(node.Content) {
			return node.Content[step]
		}
	case string:
		for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i+1]
			}
		}
	}
	return nil
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9-]{1,40}$`)

func (r *reader) scenario() (*Scenario, error) {
	f := r.file
	s := &Scenario{Name: f.Name, Title: f.Title, Question: f.Question, Lesson: f.Lesson, expected: map[string][]expect.Expectation{}}
	if !nameForm.MatchString(f.Name) {
		r.wrong(fmt.Errorf("name %q: use lower case letters, digits and hyphens", f.Name), "name")
	}
	for _, text := range []struct{ key, value string }{{"title", f.Title}, {"question", f.Question}, {"lesson", f.Lesson}} {
		if strings.TrimSpace(text.value) == "" {
			r.wrong(fmt.Errorf("%s is missing: say it in a sentence", text.key), text.key)
		}
	}
	s.Plan = r.plan()
	s.Variants = r.variants()
	r.expectations(s)
	if len(r.errs) > 0 {
		return nil, errors.Join(r.errs...)
	}
	return s, nil
}

func (r *reader) plan() Plan {
	l := r.file.Load
	p := DefaultPlan()
	p.Seed, p.Rate, p.Clients, p.Deadline, p.Steady = l.Seed, l.Rate, l.Clients, l.Deadline, l.Steady
	p.Arrivals, p.Mix, p.Retries = l.Arrivals, l.Mix, l.Retries
	p.WaitForPosition, p.RequestReply = l.Waits, r.file.Topology.RequestReply
	if len(l.Zipf) > 0 {
		p.Zipf = l.Zipf[0]
	} else {
		r.wrong(errors.New("zipf: name at least one"), "load", "zipf")
	}
	p.World = load.WorldSize{Posts: l.World.Posts, Comments: l.World.Comments, Authors: l.World.Authors, Subscriptions: l.World.Subscriptions}
	p.Steps, p.Sample = nil, 100
	r.capacity(&p)
	r.wrong(p.Check(), "load")
	for i, step := range r.file.Steps {
		s := Step{Spec: step.Fault, Before: step.Before, For: step.For, After: step.After}
		r.wrong(s.check(), "steps", i)
		p.Steps = append(p.Steps, s)
	}
	if p.Length() > longestLoad {
		r.wrong(fmt.Errorf("the load lasts %v: use at most %v", p.Length(), longestLoad), "steps")
	}
	return p
}

// capacity reads what the load is measured by, and the bottlenecks.
func (r *reader) capacity(p *Plan) {
	l := r.file.Load
	for _, n := range r.file.Topology.Narrow {
		if n.Queue == 0 { // as much work as a second brings, unless told otherwise
			n.Queue = int(int64(n.AtOnce) * int64(time.Second) / int64(max(n.Takes, time.Millisecond)))
		}
		p.Narrow = append(p.Narrow, n)
	}
	if err := p.checkNarrow(); err != nil {
		r.wrong(err, "topology", "narrow")
		p.Narrow = nil // it is told once
		return
	}
	if l.Share != 0 || l.Of != "" {
		p.Capacity = &Capacity{Share: l.Share, Of: l.Of}
		if below(below(&r.root, "load"), "rate") != nil {
			r.wrong(errors.New("rate and share_of_capacity: use one of the two"), "load", "rate")
		}
	}
}

// longestLoad bounds a scenario: it is a lesson, and not a soak.
const longestLoad = 5 * time.Minute

// Levels are the protection levels of a stack, weakest first.
func Levels(stack string) []string {
	if stack == cluster.Sync {
		return []string{"naive", "deadline", "retry", "budget", "breaker", "fallback"}
	}
	return []string{"direct", "outbox", "idempotent", "dead-letter"}
}

// Acks are whose word async's publishers can wait for.
func Acks() []string { return []string{"none", "one", "all"} }

// variants are what the stacks run with.
func (r *reader) variants() []Variant {
	l := r.file.Levels
	for key, choice := range map[string]struct{ given, allowed []string }{
		"sync": {l.Sync, Levels(cluster.Sync)}, "async": {l.Async, Levels(cluster.Async)}, "acks": {l.Acks, Acks()},
	} {
		if len(choice.given) == 0 {
			r.wrong(fmt.Errorf("no level of %s: use one of %s", key, strings.Join(choice.allowed, ", ")), "levels", key)
		}
		for i, word := range choice.given {
			if !slices.Contains(choice.allowed, word) {
				r.wrong(fmt.Errorf("no level %q of %s: use one of %s", word, key, strings.Join(choice.allowed, ", ")), "levels", key, i)
			}
		}
	}
	r.checkMistakes()
	return r.withEachZipf(paired(l.Sync, r.ofAsync()))
}

// withEachZipf repeats the variants for each popularity, if there are several.
func (r *reader) withEachZipf(variants []Variant) (all []Variant) {
	if len(r.file.Load.Zipf) < 2 {
		return variants
	}
	for i, zipf := range r.file.Load.Zipf {
		r.wrong(load.CheckZipf(zipf), "load", "zipf", i)
		for _, v := range variants {
			v.Zipf = &zipf
			all = append(all, v)
		}
	}
	return all
}

// ofAsync are all combinations of what async can run with.
func (r *reader) ofAsync() (all []Variant) {
	for _, async := range r.file.Levels.Async {
		for _, acks := range r.file.Levels.Acks {
			for _, mistake := range r.mistakes() {
				all = append(all, Variant{Async: async, Acks: acks, Mistake: mistake})
			}
		}
	}
	return all
}

// paired puts the levels of sync beside the variants of async, so that each stack runs once with each of its own: what the other
// one runs with changes nothing.
func paired(sync []string, async []Variant) []Variant {
	all := make([]Variant, max(len(sync), len(async)))
	copy(all, async)
	for i, level := range sync {
		all[i].Sync = level
	}
	return all
}

// EachLevel is a scenario at every level of both stacks, weakest first.
func EachLevel() []Variant {
	var async []Variant
	for _, level := range Levels(cluster.Async) {
		async = append(async, Variant{Async: level, Acks: "all"})
	}
	return paired(Levels(cluster.Sync), async)
}

// Mistakes are those that async's services can make.
func Mistakes() (names []string) {
	for _, m := range mutant.All() {
		if m != mutant.NewRequestID && m != mutant.FallbackUnstored { // the client's, and sync's
			names = append(names, string(m))
		}
	}
	return names
}

// mistakes are the scenario's, or the empty one of a scenario that is about none.
func (r *reader) mistakes() []string {
	if len(r.file.Topology.Mistake) == 0 {
		return []string{""}
	}
	return r.file.Topology.Mistake
}

func (r *reader) checkMistakes() {
	given := r.file.Topology.Mistake
	for i, word := range given {
		if word != cluster.NoMistake && !slices.Contains(Mistakes(), word) {
			r.wrong(fmt.Errorf("no mistake %q: use %s or one of %s", word, cluster.NoMistake, strings.Join(Mistakes(), ", ")),
				"topology", "mistake", i)
		}
	}
	if len(given) > 0 && given[0] != cluster.NoMistake {
		r.wrong(fmt.Errorf("mistake %s alone: put %s before it, or nobody sees what the mistake costs", given[0], cluster.NoMistake),
			"topology", "mistake")
	}
	if slices.Contains(given, cluster.NoMistake) && slices.Contains(r.file.Levels.Acks, "none") {
		r.wrong(errors.New("\"async at none\" would mean both acks none and mistake none: use one of the two"), "topology", "mistake")
	}
}

// expectations reads what is expected, by stack, or by stack and level.
func (r *reader) expectations(s *Scenario) {
	for key, lines := range r.file.Expect {
		if !r.isSide(key) {
			r.wrong(fmt.Errorf("expect %q: write sync, async, or one of them with a level of this scenario, for example %q", key, "sync at retry"),
				"expect", key)
		}
		for i, line := range lines {
			e, err := expect.Parse(line)
			if err == nil && e.Fault() > len(r.file.Steps) {
				err = fmt.Errorf("%q: the scenario has %s", line, counted(len(r.file.Steps), "step"))
			}
			r.wrong(err, "expect", key, i)
			s.expected[key] = append(s.expected[key], e)
		}
	}
	for _, stack := range []string{cluster.Sync, cluster.Async} {
		if len(r.file.Expect[stack]) == 0 {
			r.wrong(fmt.Errorf("nothing is expected of %s: write what you know will happen", stack), "expect")
		}
	}
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// isSide tells whether a key of expect names a stack, alone or at a level that the scenario runs.
func (r *reader) isSide(key string) bool {
	stack, level, leveled := strings.Cut(key, " at ")
	levels := map[string][]string{
		cluster.Sync: slices.Clone(r.file.Levels.Sync), cluster.Async: slices.Concat(r.file.Levels.Async, r.file.Levels.Acks, r.file.Topology.Mistake),
	}[stack]
	for _, zipf := range r.file.Load.Zipf {
		if levels != nil {
			levels = append(levels, zipfWord(zipf))
		}
	}
	return levels != nil && (!leveled || slices.Contains(levels, level))
}
