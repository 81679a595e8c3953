package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

// planWords are the words of a plan on a terminal that do not stand in the plan itself, by language.
var planWords = map[string]plan.Text{
	"plan":       {EN: "plan", JA: "計画"},
	"hash":       {EN: "hash", JA: "ハッシュ"},
	"updated":    {EN: "last updated", JA: "最終更新日"},
	"owner":      {EN: "owner", JA: "責任者"},
	"approver":   {EN: "approver", JA: "承認者"},
	"review":     {EN: "review", JA: "レビュー周期"},
	"nextReview": {EN: "next review", JA: "次回レビュー予定日"},
	"regions":    {EN: "regions", JA: "リージョン"},
	"namespace":  {EN: "namespace", JA: "名前空間"},

	"objectives":   {EN: "Objectives", JA: "目標と要件"},
	"tiers":        {EN: "Systems", JA: "対象システム"},
	"scenarios":    {EN: "Scenarios", JA: "シナリオマトリックス"},
	"backups":      {EN: "Backups", JA: "データバックアップ戦略"},
	"drills":       {EN: "Drills", JA: "定期演習スケジュール"},
	"exercise":     {EN: "Exercise", JA: "演習シナリオ"},
	"escalation":   {EN: "Escalation", JA: "エスカレーションマトリックス"},
	"contacts":     {EN: "Emergency contacts", JA: "緊急連絡先"},
	"external":     {EN: "External contacts", JA: "外部連絡先"},
	"postMortem":   {EN: "Post-mortem", JA: "Post-Mortemプロセス"},
	"improvements": {EN: "Required improvements", JA: "必須改善項目"},
	"tools":        {EN: "Tools", JA: "必須ツール"},
	"references":   {EN: "Documents", JA: "ドキュメント"},
	"revisions":    {EN: "Revisions", JA: "改訂履歴"},
	"signOff":      {EN: "Sign-off", JA: "承認"},
	"people":       {EN: "People", JA: "担当者"},
	"databases":    {EN: "Databases", JA: "データベース"},
	"redis":        {EN: "Redis", JA: "Redis"},
	"services":     {EN: "Services", JA: "サービス"},
	"dependencies": {EN: "Dependencies", JA: "外部依存先"},
	"runbooks":     {EN: "Runbooks", JA: "復旧手順"},

	"objective":    {EN: "OBJECTIVE", JA: "指標"},
	"target":       {EN: "TARGET", JA: "目標値"},
	"current":      {EN: "NOW", JA: "現在の能力"},
	"basis":        {EN: "BASIS", JA: "根拠"},
	"tier":         {EN: "TIER", JA: "ティア"},
	"class":        {EN: "CLASS", JA: "区分"},
	"systems":      {EN: "SYSTEMS", JA: "システム"},
	"scenario":     {EN: "SCENARIO", JA: "シナリオ"},
	"impact":       {EN: "IMPACT", JA: "影響範囲"},
	"rto":          {EN: "RTO", JA: "RTO"},
	"strategy":     {EN: "STRATEGY", JA: "対応戦略"},
	"runbook":      {EN: "RUNBOOK", JA: "手順"},
	"data":         {EN: "DATA", JA: "データ"},
	"method":       {EN: "METHOD", JA: "方式"},
	"when":         {EN: "WHEN", JA: "頻度"},
	"kept":         {EN: "KEPT", JA: "保持期間"},
	"drill":        {EN: "DRILL", JA: "演習タイプ"},
	"takes":        {EN: "TAKES", JA: "所要時間"},
	"participants": {EN: "PARTICIPANTS", JA: "参加者"},
	"level":        {EN: "LEVEL", JA: "レベル"},
	"condition":    {EN: "CONDITION", JA: "条件"},
	"at":           {EN: "AT", JA: "時点"},
	"who":          {EN: "WHO", JA: "通知先"},
	"answer":       {EN: "ANSWER", JA: "応答時間"},
	"channels":     {EN: "CHANNELS", JA: "チャネル"},
	"contact":      {EN: "CONTACT", JA: "連絡先"},
	"role":         {EN: "ROLE", JA: "役割"},
	"phone":        {EN: "PHONE", JA: "電話"},
	"reach":        {EN: "REACHED BY", JA: "連絡方法"},
	"step":         {EN: "STEP", JA: "手順"},
	"within":       {EN: "WITHIN", JA: "期限"},
	"tool":         {EN: "TOOL", JA: "ツール"},
	"use":          {EN: "USE", JA: "用途"},
	"url":          {EN: "URL", JA: "アクセス"},
	"document":     {EN: "DOCUMENT", JA: "ドキュメント"},
	"path":         {EN: "PATH", JA: "場所"},
	"version":      {EN: "VERSION", JA: "バージョン"},
	"date":         {EN: "DATE", JA: "日付"},
	"change":       {EN: "CHANGE", JA: "変更内容"},
	"approvedBy":   {EN: "APPROVED BY", JA: "承認者"},
	"signedBy":     {EN: "SIGNED BY", JA: "署名"},
	"name":         {EN: "NAME", JA: "名前"},
	"team":         {EN: "TEAM", JA: "チーム"},
	"region":       {EN: "REGION", JA: "リージョン"},
	"primary":      {EN: "PRIMARY", JA: "プライマリ"},
	"master":       {EN: "MASTER", JA: "マスター"},
	"replicas":     {EN: "REPLICAS", JA: "レプリカ"},
	"service":      {EN: "SERVICE", JA: "サービス"},
	"keys":         {EN: "KEYS", JA: "キー"},
	"what":         {EN: "WHAT", JA: "内容"},
	"commits":      {EN: "COMMITS", JA: "コミット"},
	"redirect":     {EN: "REDIRECT", JA: "接続切り替え"},
	"workload":     {EN: "WORKLOAD", JA: "ワークロード"},
	"scaleTo":      {EN: "SCALE TO", JA: "最大Pod数"},
	"needs":        {EN: "NEEDS", JA: "依存先"},
	"health":       {EN: "HEALTH", JA: "ヘルスチェック"},
	"approval":     {EN: "APPROVAL", JA: "承認"},
	"unanswered":   {EN: "UNANSWERED", JA: "無応答時"},
	"limits":       {EN: "LIMITS", JA: "制限"},

	"availability": {EN: "Availability", JA: "可用性"},
	"integrity":    {EN: "Data integrity", JA: "データ整合性"},
	"purpose":      {EN: "purpose", JA: "目的"},
	"practisedIn":  {EN: "practised in", JA: "演習"},
	"exercises":    {EN: "exercises", JA: "対象シナリオ"},
	"expected":     {EN: "expected time", JA: "想定時間"},
	"success":      {EN: "succeeds when", JA: "成功基準"},
	"steps":        {EN: "steps", JA: "手順"},
	"checks":       {EN: "checked", JA: "検証項目"},

	"immediately":   {EN: "at once", JA: "即時"},
	"automatic":     {EN: "automatic", JA: "自動"},
	"notSigned":     {EN: "not signed", JA: "未署名"},
	"continuous":    {EN: "continuously", JA: "継続的"},
	"daily":         {EN: "daily", JA: "毎日"},
	"nobodyIsAsked": {EN: "nobody is asked", JA: "不要"},
	"coolingOff":    {EN: "cooling-off", JA: "クールダウン"},
	"powerOff":      {EN: "may power the machine off", JA: "電源断を許可"},
	"settle":        {EN: "settle", JA: "安定待ち"},
	"catchUp":       {EN: "catch-up", JA: "追いつき"},
	"drain":         {EN: "drain of a node", JA: "ノードの退避"},
	"watch":         {EN: "watch", JA: "自己修復待ち"},
	"declareStage":  {EN: "declare", JA: "宣言"},
	"diagnoseStage": {EN: "diagnose", JA: "診断"},
	"recoverStage":  {EN: "recover", JA: "復旧"},
	"writeGap":      {EN: "write gap", JA: "書き込み停止"},

	plan.Asynchronous: {EN: "asynchronous", JA: "非同期"},
	plan.Synchronous:  {EN: "synchronous", JA: "同期"},
	plan.Proceed:      {EN: "proceed", JA: "続行"},
	plan.Hold:         {EN: "hold", JA: "待機"},
	plan.Abort:        {EN: "abort", JA: "中止"},

	plan.MinimalImpact: {EN: "minimal", JA: "最小"},
	plan.SmallImpact:   {EN: "small", JA: "小"},
	plan.MediumImpact:  {EN: "medium", JA: "中"},
	plan.LargeImpact:   {EN: "large", JA: "大"},
	plan.SevereImpact:  {EN: "severe", JA: "重大"},

	plan.Monthly:    {EN: "monthly", JA: "月次"},
	plan.Quarterly:  {EN: "quarterly", JA: "四半期"},
	plan.HalfYearly: {EN: "half-yearly", JA: "半年"},
	plan.Yearly:     {EN: "yearly", JA: "年次"},

	plan.FullBackup:             {EN: "full", JA: "フル"},
	plan.IncrementalBackup:      {EN: "incremental", JA: "増分"},
	plan.PointInTimeBackup:      {EN: "point in time", JA: "PITR"},
	plan.SnapshotBackup:         {EN: "snapshot", JA: "スナップショット"},
	plan.AppendOnlyFile:         {EN: "append-only file", JA: "AOF"},
	plan.Synchronization:        {EN: "synchronization", JA: "同期"},
	plan.Replication:            {EN: "replication", JA: "レプリケーション"},
	plan.CrossRegionReplication: {EN: "cross-region replication", JA: "Cross-Regionレプリケーション"},
	plan.EncryptedBackup:        {EN: "encrypted backup", JA: "暗号化バックアップ"},
}

// The units of time as people write them, the longest first.
var planUnits = []struct {
	length time.Duration
	name   plan.Text
}{
	{day, plan.Text{EN: "d", JA: "日"}},
	{time.Hour, plan.Text{EN: "h", JA: "時間"}},
	{time.Minute, plan.Text{EN: "m", JA: "分"}},
	{time.Second, plan.Text{EN: "s", JA: "秒"}},
}

// countedInDays is from when on people count in days: deadlines of 24, 48 and 72 hours are better known by their hours.
const countedInDays = 7 * day

const day = 24 * time.Hour

// planTime is a duration as people write it: 30m, 1h30m, 72h, 30d.
func planTime(d time.Duration, language string) string { return spoken(d, language, countedInDays) }

// planTimeInDays is the same, with every whole day counted as one.
func planTimeInDays(d time.Duration, language string) string { return spoken(d, language, day) }

// spoken is a duration as people write it, in days from a length on.
func spoken(d time.Duration, language string, inDays time.Duration) string {
	if d == 0 {
		return "0" + plan.Text{EN: "m", JA: "分"}.In(language)
	}
	if d < 0 || d%time.Second != 0 {
		return d.String()
	}
	units := planUnits
	if d < inDays || d%day != 0 {
		units = units[1:]
	}
	var b strings.Builder
	for _, unit := range units {
		if count := d / unit.length; count > 0 {
			fmt.Fprintf(&b, "%d%s", count, unit.name.In(language))
			d -= count * unit.length
		}
	}
	return b.String()
}
