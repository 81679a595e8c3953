package report

import (
	"fmt"
	"strconv"
	"time"
)

// Language is one that a report can be read in.
type Language string

// The languages.
const (
	English  Language = "en"
	Japanese Language = "ja"
)

// Languages are all of them.
func Languages() []Language { return []Language{English, Japanese} }

func (l Language) known() bool {
	for _, language := range Languages() {
		if l == language {
			return true
		}
	}
	return false
}

func languageNames() []string {
	var names []string
	for _, language := range Languages() {
		names = append(names, string(language))
	}
	return names
}

// words is one text in every language.
type words struct{ en, ja string }

func (w words) in(language Language) string {
	if language == Japanese {
		return w.ja
	}
	return w.en
}

// text is one of the page's own texts. That the table has none is a mistake in the template.
func (l Language) text(key string) (string, error) {
	known, is := vocabulary[key]
	if !is {
		return "", fmt.Errorf("the page says %q, which has no words", key)
	}
	return known.in(l), nil
}

// name is a word of the engine, which may be newer than this table.
func (l Language) name(group, word string) string {
	known, is := vocabulary[group+"."+word]
	if !is {
		return word
	}
	return known.in(l)
}

// duration is a length of time to the millisecond below a minute, to the second above.
func (l Language) duration(d time.Duration) string {
	if d < 0 {
		return "−" + l.duration(-d)
	}
	if d < time.Minute {
		decimals := 3
		if d = d.Round(time.Millisecond); d%time.Second == 0 {
			decimals = 0
		}
		return l.amount(strconv.FormatFloat(d.Seconds(), 'f', decimals, 64), "s")
	}
	d = d.Round(time.Second)
	whole := ""
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}} {
		if count := d / unit.length; count > 0 {
			if whole != "" {
				whole += " "
			}
			whole += l.amount(strconv.Itoa(int(count)), unit.name)
		}
		d %= unit.length
	}
	return whole
}

func (l Language) amount(count, unit string) string { return count + " " + l.name("unit", unit) }

// vocabulary is every word of the page. Those of the engine have the group they belong to before a dot.
var vocabulary = map[string]words{
	"report":          {"Recovery report", "復旧報告書"},
	"plan":            {"Plan", "計画"},
	"build":           {"Build", "ビルド"},
	"run":             {"Run", "実行"},
	"asked-for-by":    {"Asked for by", "要請者"},
	"reason":          {"Reason", "理由"},
	"under-way":       {"Under way", "進行中"},
	"as-of":           {"as of %s UTC", "%s UTC 時点"},
	"none":            {"None", "なし"},
	"utc":             {"All times are UTC.", "時刻はすべて UTC です。"},
	"not-known":       {"not known", "不明"},
	"not-measured":    {"not measured", "未計測"},
	"objectives":      {"Objectives", "目標と実測"},
	"target":          {"Target", "目標"},
	"of-target":       {"%s of the target", "目標の %s"},
	"so-far":          {"so far", "経過"},
	"missed":          {"missed", "未達成"},
	"RTO":             {"RTO, time to recover", "RTO（目標復旧時間）"},
	"RPO":             {"RPO, data loss", "RPO（目標復旧時点）"},
	"timeline":        {"Timeline", "タイムライン"},
	"deadline-beyond": {"RTO deadline, beyond this drawing: %s (%s)", "RTO の期限（図の範囲外）: %s（%s）"},
	"question":        {"Question", "質問"},
	"open-question":   {"Waiting for an answer", "回答待ち"},
	"asked":           {"Asked", "質問日時"},
	"asked-of":        {"Who may answer", "回答できる人"},
	"anybody":         {"anybody in the plan", "計画に記載された全員"},
	"agreed":          {"Agreed", "同意"},
	"needed":          {"needed", "必要数"},
	"unanswered":      {"Without an answer", "回答がない場合"},
	"answer-with":     {"Answer with", "回答方法"},
	"clocks":          {"Clocks", "時刻"},
	"clock":           {"Clock", "項目"},
	"time":            {"Time", "日時"},
	"after-the-start": {"After the start", "開始からの経過"},
	"steps":           {"Steps", "手順"},
	"step":            {"Step", "手順"},
	"state":           {"State", "状態"},
	"took":            {"Took", "所要時間"},
	"budget":          {"Budget", "許容時間"},
	"attempts":        {"Attempts", "試行回数"},
	"result":          {"Result", "結果"},
	"changes":         {"Changes", "変更"},
	"point-of-return": {"point of no return", "ここから先は後戻り不可"},
	"undoable":        {"can be undone", "取り消し可能"},
	"decisions":       {"Decisions", "判断"},
	"who":             {"Who", "担当者"},
	"identity":        {"Identity", "本人確認"},
	"what":            {"What", "内容"},
	"comment":         {"Comment", "コメント"},
	"overrides":       {"Guards that were lifted", "解除されたガード"},
	"guard":           {"Guard", "ガード"},
	"said":            {"What it had said", "ガードの指摘"},
	"rejected":        {"Messages that were not taken", "受け付けなかったメッセージ"},
	"why":             {"Why", "理由"},
	"checks":          {"Integrity checks", "整合性チェック"},
	"check":           {"Check", "チェック項目"},
	"measured":        {"Measured", "実測値"},
	"expected":        {"Expected", "期待値"},
	"verdict":         {"Verdict", "判定"},
	"facts":           {"Facts", "確認された事実"},
	"holds":           {"What holds", "維持されていること"},
	"missing":         {"What is missing", "残っている問題"},
	"next":            {"What to do next", "次に行うこと"},
	"notifications":   {"Who was told", "連絡の記録"},
	"channel":         {"Channel", "連絡手段"},
	"level":           {"Level", "レベル"},
	"forecast":        {"Forecast: service is back at %s, the run ends at %s (UTC), by the pace of earlier runs: %d", "予測: サービス復旧 %s、実行終了 %s（UTC、過去の実行 %d 回に基づく）"},
	"forecast-of-end": {"Forecast: the run ends at %s (UTC), by the pace of earlier runs: %d", "予測: 実行終了 %s（UTC、過去の実行 %d 回に基づく）"},
	"record":          {"Everything that happened", "全記録"},
	"kind":            {"Kind", "種別"},

	"unit.s": {"s", "秒"}, "unit.min": {"min", "分"}, "unit.h": {"h", "時間"},

	"scenario.DatabaseFailover":   {"Database failover", "データベースのフェイルオーバー"},
	"scenario.DatabaseSwitchover": {"Database switchover", "データベースのスイッチオーバー"},
	"scenario.DatabaseCommits":    {"Database commits", "コミットの待ち合わせ"},
	"scenario.Rejoin":             {"Rejoin", "旧プライマリの復帰"},
	"scenario.RedisRecovery":      {"Redis recovery", "Redis復旧"},
	"scenario.ServiceRecovery":    {"Service recovery", "サービス復旧"},
	"scenario.FullOutage":         {"Full outage", "完全サービス停止からの復旧"},
	"scenario.ZoneEvacuation":     {"Zone evacuation", "ゾーンの退避"},
	"scenario.NodeRecovery":       {"Node recovery", "ノードの復旧"},
	"scenario.Diagnosis":          {"Diagnosis", "診断"},
	"scenario.Verification":       {"Verification", "整合性チェック"},

	"mode.live": {"live", "本番"}, "mode.rehearse": {"rehearsal", "予行演習"}, "mode.drill": {"drill", "演習"},

	"outcome.recovered":          {"Recovered", "復旧"},
	"outcome.recovered-late":     {"Recovered, later than the objective", "期限を超えて復旧"},
	"outcome.recovered-unproven": {"Recovered, without proof that the old primary is stopped", "復旧（旧プライマリの停止は未証明）"},
	"outcome.rolled-back":        {"Rolled back", "元の状態に戻した"},
	"outcome.incomplete":         {"Incomplete: action is needed", "未完了（対応が必要）"},
	"outcome.rehearsed":          {"Rehearsed, nothing was changed", "予行済み（変更なし）"},
	"outcome.refused":            {"Refused, nothing was changed", "拒否（変更なし）"},

	"phase.starting": {"starting", "開始中"}, "phase.executing": {"executing", "実行中"}, "phase.waiting": {"waiting", "待機中"},
	"phase.asking": {"asking", "承認待ち"}, "phase.standing": {"standing", "判断待ち"}, "phase.paused": {"paused", "一時停止中"},
	"phase.undoing": {"undoing", "取り消し中"}, "phase.finished": {"finished", "終了"},

	"state.pending": {"pending", "未着手"}, "state.running": {"running", "実行中"}, "state.waiting": {"waiting", "待機中"},
	"state.asking": {"asking", "承認待ち"}, "state.standing": {"standing", "判断待ち"}, "state.done": {"done", "完了"},
	"state.skipped": {"skipped", "省略"}, "state.failed": {"failed", "失敗"}, "state.undone": {"undone", "取り消し済み"},
	"state.undo-failed": {"undo failed", "取り消し失敗"}, "state.would": {"would be done", "実施予定"}, "state.blocked": {"blocked", "実施不可"},

	"clock.impact-started": {"Impact started", "影響開始"}, "clock.detected": {"Detected", "検知"}, "clock.declared": {"Declared", "宣言"},
	"clock.decided": {"Decided", "決定"}, "clock.executing": {"First change", "最初の変更"}, "clock.recovered": {"Recovered", "復旧"},
	"clock.finished": {"Finished", "終了"}, "clock.deadline": {"RTO deadline", "RTO の期限"},

	"verb.approve": {"approve", "承認"}, "verb.reject": {"reject", "却下"}, "verb.retry": {"retry", "再試行"}, "verb.skip": {"skip", "省略"},
	"verb.abort": {"abort", "中止"}, "verb.pause": {"pause", "一時停止"}, "verb.resume": {"resume", "再開"},

	"verdict.pass": {"pass", "合格"}, "verdict.fail": {"fail", "不合格"}, "verdict.not run": {"not run", "実施できず"},

	"event.trigger": {"call", "呼び出し"}, "event.acknowledge": {"somebody is at it", "対応中"}, "event.resolve": {"over", "終息"},

	"notification.sending": {"under way", "送信中"}, "notification.sent": {"sent", "送信済み"}, "notification.withheld": {"withheld", "送信せず"},
	"notification.undelivered": {"not delivered", "未達"},

	"identity.claimed": {"claimed", "自己申告"}, "identity.verified": {"verified", "確認済み"},

	"kind.run": {"run", "実行"}, "kind.step": {"step", "手順"}, "kind.guard": {"guard", "ガード"}, "kind.question": {"question", "質問"},
	"kind.decision": {"decision", "判断"}, "kind.rejected": {"rejected", "不受理"}, "kind.override": {"override", "解除"},
	"kind.clock": {"clock", "時刻"}, "kind.notice": {"notice", "連絡"}, "kind.undo": {"undo", "取り消し"},
}
