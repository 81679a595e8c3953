package report

// Language is one that a report can be read in.
type Language string

// The languages.
const (
	English  Language = "en"
	Japanese Language = "ja"
)

// words translates the report's own vocabulary. What people wrote and what systems said is never translated.
type words map[string]string

// dictionary has every word of the page in every language; a test keeps it whole. The English of a word is its key.
var dictionary = map[Language]words{
	English: {},
	Japanese: {
		"Report": "報告書", "Summary": "概要", "Objectives": "目標", "Clocks": "時刻", "Timeline": "タイムライン", "Steps": "手順", "Decisions": "判断", "Overrides": "解除したガード",
		"Rejected messages": "受け付けなかったメッセージ", "Findings": "確認事項", "What holds": "維持されていること", "What is missing": "残っている問題", "What to do next": "次に行うこと", "Everything that happened": "全記録",
		"target": "目標", "measured": "実測", "not measured": "未計測", "plan": "計画", "build": "ビルド", "workflow": "ワークフロー", "run": "実行", "asked for by": "要請者", "reason": "理由", "mode": "モード", "open question": "未回答の質問",
		"step": "手順", "state": "状態", "took": "所要時間", "attempts": "試行", "result": "結果", "when": "日時", "who": "担当者", "what": "内容", "guard": "ガード", "comment": "コメント", "said": "報告", "why": "理由", "undoable": "取消可", "point of no return": "後戻り不可",
		"impact started": "影響開始", "detected": "検知", "declared": "宣言", "decided": "決定", "executing": "実行開始", "recovered": "復旧", "finished": "終了", "deadline": "期限",
		"recovered-late": "期限後に復旧", "recovered-unproven": "復旧(停止は未証明)", "rolled-back": "元に戻した", "incomplete": "未完了", "rehearsed": "予行", "refused": "拒否", "under way": "進行中",
		"pending": "未着手", "running": "実行中", "waiting": "待機", "asking": "承認待ち", "standing": "判断待ち", "done": "完了", "skipped": "省略", "failed": "失敗", "undone": "取消済", "undo-failed": "取消失敗", "would": "実施予定", "blocked": "実施不可",
		"live": "本番", "rehearse": "予行演習", "RTO": "RTO(目標復旧時間)", "RPO": "RPO(目標復旧時点)", "claimed": "自己申告", "verified": "確認済", "identity": "本人確認",
	},
}

// Knows says whether a word has a translation.
func (l Language) Knows(word string) bool {
	_, known := dictionary[l][word]
	return known
}
