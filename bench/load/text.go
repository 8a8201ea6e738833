package load

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/brianvoe/gofakeit/v7"
)

// BlockedWord is what a comment holds that moderation must reject; it stands in no other text.
const BlockedWord = "orange"

// BlockedShare is the share of comments that hold BlockedWord.
const BlockedShare = 0.05

// Lengths of texts in bytes. The medians are those of blog posts and of comments under them; a log-normal length has its
// mean above its median, as real ones do.
const (
	minTitle, maxTitle = 20, 80
	medianPost         = 600
	maxPost            = 6000
	medianComment      = 120
	maxComment         = 2000
	minBody            = 20
	spreadPost         = 0.8 // standard deviation of the logarithm
	spreadComment      = 0.7
)

// poolSize is how many sentences of each sort texts are put together from: making a sentence costs 2 µs, taking one 20 ns.
const poolSize = 2000

// texts makes natural-language texts out of a pool of sentences. It may be used from several goroutines.
type texts struct {
	posts    []string // sentences of posts
	comments []string // sentences of comments
}

func newTexts(seed uint64) *texts {
	fake := gofakeit.NewFaker(rand.NewPCG(seed, streamTexts), false)
	blocked := regexp.MustCompile(`(?i)` + BlockedWord)
	t := &texts{posts: make([]string, poolSize), comments: make([]string, poolSize)}
	for i := range poolSize {
		t.posts[i] = clean(blocked.ReplaceAllString(sentence(fake, i), "purple"))
		t.comments[i] = clean(blocked.ReplaceAllString(remark(fake, i), "purple"))
	}
	return t
}

func sentence(fake *gofakeit.Faker, i int) string {
	switch i % 8 {
	case 0:
		return fake.Question()
	case 1:
		return fake.ProductDescription()
	}
	return fake.Sentence()
}

func remark(fake *gofakeit.Faker, i int) string {
	switch i % 4 {
	case 0:
		return fake.Question()
	case 1:
		return fake.Sentence()
	}
	return fake.Comment()
}

// clean makes a sentence that starts with a capital and ends with a mark.
func clean(s string) string {
	s = strings.TrimSpace(strings.ToValidUTF8(s, ""))
	first, size := utf8.DecodeRuneInString(s)
	s = strings.ToUpper(string(first)) + s[size:]
	if !strings.ContainsAny(s[len(s)-1:], ".?!") {
		s += "."
	}
	return s
}

// title returns a title of minTitle to maxTitle bytes that ends with the reference.
func (t *texts) title(r *rand.Rand, ref string) string {
	end := mark(ref)
	s := pick(r, t.posts)
	for len(s) < minTitle {
		s += " " + pick(r, t.posts)
	}
	return strings.TrimRight(cut(s, maxTitle-len(end)), ".,") + end
}

// post returns the body of a post.
func (t *texts) post(r *rand.Rand) string {
	return fill(r, t.posts, length(r, medianPost, spreadPost, maxPost))
}

// comment returns the body of a comment that ends with the reference, with or without BlockedWord in it.
func (t *texts) comment(r *rand.Rand, ref string, blocked bool) string {
	end := mark(ref)
	room := length(r, medianComment, spreadComment, maxComment) - len(end)
	if !blocked {
		return fill(r, t.comments, room) + end
	}
	words := strings.Fields(fill(r, t.comments, room-len(BlockedWord)-1))
	words[r.IntN(len(words))] += " " + BlockedWord
	return strings.Join(words, " ") + end
}

// length draws a length in bytes from a log-normal distribution.
func length(r *rand.Rand, median, spread float64, limit int) int {
	return min(int(median*math.Exp(spread*r.NormFloat64())), limit)
}

// fill returns sentences of about size bytes, never more than size or minBody, in paragraphs of five.
func fill(r *rand.Rand, sentences []string, size int) string {
	size = max(size, minBody)
	var b strings.Builder
	b.Grow(size + 200)
	for n := 1; b.Len() < size; n++ {
		b.WriteString(pick(r, sentences))
		if n%5 == 0 {
			b.WriteString("\n\n")
		} else {
			b.WriteByte(' ')
		}
	}
	return cut(b.String(), size)
}

// cut shortens a text to at most size bytes, between words.
func cut(s string, size int) string {
	if len(s) > size {
		if space := strings.LastIndexAny(s[:size+1], " \n"); space > 0 {
			s = s[:space]
		} else {
			s = strings.ToValidUTF8(s[:size], "")
		}
	}
	return strings.TrimSpace(s)
}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

// refDigits is the length of a reference in hexadecimal digits; refBits is the same in bits.
const (
	refDigits = 10
	refBits   = 40
)

// newRef returns the n-th reference of a seed. Two numbers below 2^40 never share one: each step below is a bijection of
// 40-bit numbers.
func newRef(seed, n uint64) string {
	const mask = 1<<refBits - 1
	x := (n*0x9e3779b97f4a7c15 + seed) & mask
	x ^= x >> (refBits / 2)
	x = x * 0xbf58476d1ce4e5b9 & mask
	return fmt.Sprintf("%0*x", refDigits, x)
}

func mark(ref string) string { return " [ref " + ref + "]" }

// RefIn returns the reference that a title or a comment's body ends with, or "" if there is none.
func RefIn(text string) string {
	start := len(text) - len(mark(strings.Repeat("0", refDigits)))
	if start < 0 || !strings.HasPrefix(text[start:], " [ref ") || !strings.HasSuffix(text, "]") {
		return ""
	}
	ref := text[len(text)-1-refDigits : len(text)-1]
	if strings.Trim(ref, "0123456789abcdef") != "" {
		return ""
	}
	return ref
}

// names makes the names of authors and followers: no two with the same number are alike, because the number stands in it.
type names struct{ first, last []string }

func newNames(seed uint64) *names {
	const variety = 300
	fake := gofakeit.NewFaker(rand.NewPCG(seed, streamNames), false)
	n := &names{}
	for range variety {
		n.first = append(n.first, letters(fake.FirstName()))
		n.last = append(n.last, letters(fake.LastName()))
	}
	return n
}

// name returns the n-th name, for example "maria.lopez17".
func (n *names) name(seed, number uint64) string {
	r := newRand(seed^number<<20, streamNames)
	return fmt.Sprintf("%s.%s%d", pick(r, n.first), pick(r, n.last), number)
}

// letters keeps what a name may hold.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}
