package plan

// Text is what people read: in English, in Japanese, or in both. In a plan it is written as one text, which then serves every
// language, or as {en: …, ja: …}.
type Text struct {
	EN string `yaml:"en" json:"en,omitempty"`
	JA string `yaml:"ja" json:"ja,omitempty"`
}

// Said is one text for every language.
func Said(text string) Text { return Text{EN: text, JA: text} }

// In is the text in a language, en or ja, or in the other one where that is all there is.
func (t Text) In(language string) string {
	if t.EN == "" || language == "ja" && t.JA != "" {
		return t.JA
	}
	return t.EN
}
